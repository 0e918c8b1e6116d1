#!/usr/bin/env python3
"""dpark's own suite, from its repository, against dae's engine; by hand:

    tests/clients/dpark.py                      in one process, and in forked ones
    tests/clients/dpark.py --dask               tests/platform/test_dpark.py and the suite on a Dask cluster on loopback, too
    tests/clients/dpark.py --checkout DIR       a clone of dpark's repository that is there already: its sdist holds no tests

What is left out is named below with its reason, and so is it printed. The tests are written for one process after the other in
one script, so each class runs in an interpreter of its own: one of them sets the share of bad records for all that follow.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = "https://github.com/douban/dpark"
PACKAGES = ["pytest", "six", "cloudpickle"]
LEFT_OUT = {
    "test_bitindex.py": "a bitmap of dpark's tabular files; there is none here",
    "test_dstream.py": "streams (dpark.dstream) are left out",
    "test_heaponkey.py": "a heap of dpark's merge of sorted shuffles; Python's own is used",
    "test_nested_groupby.py": "groups whose values are gone through once; here a group is a list",
    "test_scope.py": "numbers of dpark's call graph, for its web pages",
    "test_serialize.py": "dpark's own pickling of functions; forked processes have them, and for a cluster it is cloudpickle's",
    "test_taskset.py": "offers of a Mesos cluster",
}
CONFTEST = """
import sys
sys.path.append({package!r})
from dae import defaults
defaults.install()
"""
CLUSTER = """
import os, subprocess, sys
if __name__ == "__main__":
    from distributed import LocalCluster
    with LocalCluster("127.0.0.1:0", n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        address = "dask://" + cluster.scheduler_address.split("//")[1]
        env = dict(os.environ, PLATFORM_DPARK=address, TEST_DPARK_MASTER=address)
        sys.exit(subprocess.call(sys.argv[1:], env=env))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=pathlib.Path)
    parser.add_argument("--dask", action="store_true")
    asked = parser.parse_args()
    here = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        checkout = asked.checkout
        if checkout is None:
            checkout = work / "dpark"
            subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, str(checkout)], check=True)
        # Beside its tests dpark itself would be found.
        suite = work / "suite"
        shutil.copytree(checkout / "tests", suite / "tests")
        (suite / "tests" / "__init__.py").unlink()
        (suite / "conftest.py").write_text(CONFTEST.format(package=str(here / "python")))
        (work / "cluster.py").write_text(CLUSTER)
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
        python = str(work / "venv/bin/python")
        packages = PACKAGES + (["dask[distributed]"] if asked.dask else [])
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
        for name, why in LEFT_OUT.items():
            print("left out  %-24s %s" % (name, why))
        pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
        classes = re.findall(r"^class (TestRDD\w+)", (suite / "tests/test_rdd.py").read_text(), re.M)
        failed = []

        def run(title, command, **env):
            print("==", title, flush=True)
            if subprocess.call(command, cwd=suite, env=dict(os.environ, **env)):
                failed.append(title)

        runs = ["tests/test_rdd.py::" + name for name in classes]
        for master in ("local", "process"):
            for test in runs:
                run("%s %s" % (master, test), [*pytest, test], TEST_DPARK_MASTER=master)
        run("test_conf.py", [python, "-c", "import conftest, runpy; runpy.run_path('tests/test_conf.py')"])
        if asked.dask:
            cluster = [python, str(work / "cluster.py")]
            ours = str(here / "tests/platform/test_dpark.py")
            run("dask, tests/platform", [*cluster, *pytest, ours], PYTHONPATH=str(here / "python"))
            for test in runs:
                run("dask " + test, [*cluster, *pytest, test])
        print("failed: %s" % ", ".join(failed) if failed else "all passed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
