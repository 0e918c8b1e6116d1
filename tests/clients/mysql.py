"""PyMySQL's own suite against an app's database; by hand: `python tests/clients/mysql.py DAE`, with DAE the binary.

PyMySQL's sdist is fetched by pip; its suite signs in as the app's own user, in two of its test databases.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

VERSION = "1.1.1"
RUN = """
import json, os, pymysql, subprocess, sys
own = dict(host=os.environ["DAE_MYSQL_HOST"], port=int(os.environ["DAE_MYSQL_PORT"]), user=os.environ["DAE_MYSQL_USER"],
           password=os.environ["DAE_MYSQL_PASSWORD"], use_unicode=True, local_infile=True)
names = [f"test_{os.environ['DAE_MYSQL_DB']}_{n}" for n in (1, 2)]
db = pymysql.connect(**own)
for name in names:
    db.cursor().execute(f"create database if not exists `{name}`")
json.dump([dict(own, database=name) for name in names], open("pymysql/tests/databases.json", "w"))
sys.exit(subprocess.call([sys.executable, "-m", "pytest", "-q", "-rs", "pymysql/tests"] + sys.argv[1:]))
"""


def main(dae):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        app = folder / "suite"
        app.mkdir()
        (app / "app.yaml").write_text(
            "application: suite\nversion: 1\nruntime: python\napi_version: 1\nhandlers:\n- {url: /.*, wsgi_app: app:app}\n"
        )
        (app / "pip-req.txt").write_text("pytest==8.4.1\n")
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        subprocess.run(pip + ["-d", folder, f"pymysql=={VERSION}"], check=True)
        subprocess.run(["tar", "xzf", *folder.glob("*.tar.gz"), "-C", app, "--strip-components=1"], check=True)
        env = dict(os.environ)
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.call([dae, "run", "--", "python", "-c", RUN], cwd=app, env=env)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
