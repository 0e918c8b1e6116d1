"""Runs a script of the app: a daemon or a scheduled task, with the app's code and packages on the path.

Run as a program: ``python script.py`` with one JSON value in ``DAE_BOOT``. Its keys:

    root, runtime, site, environment    as in boot.py
    words       the script and its arguments: a Python file below root, or a program
"""

import json
import os
import sys


def main():
    config = json.loads(os.environ.pop("DAE_BOOT"))
    from boot import set_path

    set_path(config)
    from dae import lifeline, report, source

    lifeline.hold()
    report.hold_fast(os.path.basename(config["words"][0]))
    words = config["words"]
    if not words[0].endswith((".py", ".pyc")):
        become(config, words)
    if config["environment"] == "SDK":
        source.never_stale(config["root"])
    sys.argv[:] = words
    # As Python itself has it: the script's own folder first.
    folder = os.path.dirname(os.path.join(config["root"], words[0]))
    if folder != config["root"]:
        sys.path.insert(0, folder)
    import runpy

    runpy.run_path(words[0], run_name="__main__")


def become(config, words):
    """Turns this process into a program, whose Pythons find what this one would have found."""
    finder = os.path.join(config["runtime"], "dae", "path")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = finder + os.pathsep + before if before else finder
    os.environ["DAE_RUNTIME"] = config["runtime"]
    try:
        os.execvp(words[0], words)
    except OSError as error:
        sys.exit("dae: could not run `%s`: %s" % (words[0], error.strerror))


if __name__ == "__main__":
    main()
