"""What a process is like when its app has been imported: for `dae serve --verify-reload`, which compares a warm one with a cold one.

Names and kinds, no values of the app's own: times and random numbers differ by nature.
"""

import json
import locale
import logging
import os
import sys
import threading
import time

from dae import source

# What dae had imported for itself, before anything of the app's or its packages'.
machinery = frozenset()


def note_machinery():
    global machinery
    machinery = machinery or frozenset(sys.modules)


def write(path, root):
    """Of several workers the first one counts."""
    aside = f"{path}.{os.getpid()}"
    with open(aside, "w") as file:
        json.dump(of(root), file, default=repr)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    os.unlink(aside)


def of(root):
    modules = list(sys.modules.items())
    own = [name for name, module in modules if is_own(module, root)]
    return {
        "machinery": sorted(machinery),
        "modules": [name for name, module in modules if source.is_borrowed(name, module, root)],
        "own": {name: kinds(sys.modules[name]) for name in own},
        "process": {
            "environment": dict(os.environ),
            "working folder": os.getcwd(),
            "sys.path": sys.path,
            "locale": locale.setlocale(locale.LC_ALL),
            "time zone": time.tzname,
            "recursion limit": sys.getrecursionlimit(),
            "threads": sorted(thread.name for thread in threading.enumerate()),
            "root logger": [logging.root.level, [type(handler).__name__ for handler in logging.root.handlers]],
        },
    }


def is_own(module, root):
    file = getattr(module, "__file__", None)
    return bool(file) and source.within(file, root)


def kinds(module):
    return {name: type(value).__name__ for name, value in vars(module).items() if not name.startswith("__")}
