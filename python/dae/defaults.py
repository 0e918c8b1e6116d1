"""Connections without an address go to the app's own services: a library is patched when it is imported, and not imported for it.
Libraries that are no more, and that nothing else provides, have one that takes their name.

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


def mysql_driver(module):
    """A connection that names no host goes to the app's own database."""
    from dae import drivers

    drivers.patch(module)


def pdb(module):
    """Debuggers that share a terminal speak one after the other."""
    from dae import debugger

    debugger.patch(module)


PATCHES = {"pdb": pdb, "smtplib": smtplib, "MySQLdb.connections": mysql_driver, "pymysql.connections": mysql_driver}


def install():
    """From now on; what is imported already is patched at once."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    for name, patch in PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
    sys.meta_path.insert(0, Finder())
    sys.meta_path.append(Alias())


class Finder:
    """Finds nothing by itself: has the others find a module, and hears when it is there."""

    def __init__(self):
        self.asked = set()

    def find_spec(self, name, path=None, target=None):
        if name.startswith("dpark.") and sys.modules.get("dpark") is sys.modules.get("dae.dpark"):
            # Found by its path it would be there twice.
            return importlib.util.spec_from_loader(name, Alias())
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


class Alias:
    """What takes the name of a library that is not there: PyMySQL that of MySQLdb, dae's own dpark that of dpark."""

    def find_spec(self, name, path=None, target=None):
        if name == "dpark" or name == "MySQLdb" and importlib.util.find_spec("pymysql") is not None:
            return importlib.util.spec_from_loader(name, self)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        if name == "MySQLdb":
            from dae import drivers

            sys.modules[name] = drivers.pymysql_as_mysqldb()
        else:
            sys.modules[name] = dpark(name)


def dpark(name):
    """A module of dae's own by dpark's name for it."""
    try:
        return importlib.import_module("dae." + name)
    except ModuleNotFoundError as error:
        if error.name != "dae." + name:
            raise
        raise ModuleNotFoundError("dae's own dpark has no `%s`: see docs/dpark.md for what is left out" % name, name=name) from None
