"""Connections without an address go to the app's own services: a library is patched when it is imported, and not imported for it.

To add one: a function that gets the imported module, in `PATCHES` under the module's name.
"""

import functools
import importlib.util
import os
import sys

UNSAID = object()


def smtplib(module):
    """``smtplib.SMTP().connect()`` goes to `DAE_SMTP`; one with a host goes there."""
    connect = module.SMTP.connect

    @functools.wraps(connect)
    def to_the_app(self, host=UNSAID, port=0, source_address=None):
        if host is UNSAID:
            host, where = "localhost", os.environ.get("DAE_SMTP")
            if where and not port and not isinstance(self, module.SMTP_SSL):
                host, _, port = where.rpartition(":")
                host, port = host.strip("[]"), int(port)
        return connect(self, host, port, source_address)

    module.SMTP.connect = to_the_app


PATCHES = {"smtplib": smtplib}


def install():
    """From now on; what is imported already is patched at once."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    for name, patch in PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
    sys.meta_path.insert(0, Finder())


class Finder:
    """Finds nothing by itself: has the others find a module, and hears when it is there."""

    def __init__(self):
        self.asked = set()

    def find_spec(self, name, path=None, target=None):
        if name not in PATCHES or name in self.asked:
            return None
        self.asked.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.asked.discard(name)
        loader = spec and spec.loader
        if loader and hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def and_patch(module):
                execute(module)
                PATCHES[name](module)

            loader.exec_module = and_patch
        return spec
