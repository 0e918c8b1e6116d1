"""PyMySQL's own suite against an app's database; by hand: `python tests/clients/mysql.py DAE CHECKOUT`, with DAE the binary
and CHECKOUT PyMySQL's repository, for its packages hold no tests. It signs in as the app's own user, in two test databases.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

RUN = """
import json, os, pymysql, subprocess, sys
own = dict(host=os.environ["DAE_MYSQL_HOST"], port=int(os.environ["DAE_MYSQL_PORT"]), user=os.environ["DAE_MYSQL_USER"],
           password=os.environ["DAE_MYSQL_PASSWORD"], use_unicode=True, local_infile=True)
names = [f"test_{os.environ['DAE_MYSQL_DB']}_{n}" for n in (1, 2)]
db = pymysql.connect(**own)
for name in names:
    db.cursor().execute(f"create database if not exists `{name}`")
json.dump([dict(own, database=name) for name in names], open("pymysql/tests/databases.json", "w"))
# These two read the server's own database `mysql`, which is no app's business.
roots = ["test_connection.py::TestAuthentication::test_plugin", "test_issues.py::TestOldIssues::test_issue_6"]
args = [word for test in roots for word in ("--deselect", "pymysql/tests/" + test)]
sys.exit(subprocess.call([sys.executable, "-m", "pytest", "-q", "-rs", "pymysql/tests"] + args))
"""


def main(dae, checkout):
    with tempfile.TemporaryDirectory() as folder:
        app = pathlib.Path(folder) / "suite"
        app.mkdir()
        (app / "app.yaml").write_text(
            "application: suite\nversion: 1\nruntime: python\napi_version: 1\nhandlers:\n- {url: /.*, wsgi_app: app:app}\n"
        )
        (app / "pip-req.txt").write_text("pytest==8.4.1\n")
        shutil.copytree(os.path.join(checkout, "pymysql"), app / "pymysql")
        env = dict(os.environ)
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.call([dae, "run", "--", "python", "-c", RUN], cwd=app, env=env)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2]))
