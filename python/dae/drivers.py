"""The app's own database as the default of MySQL drivers: a connection that names no host goes there.

`install` only puts a finder in front of the import system; a driver is touched when an app imports it, and its defaults are
filled in when it connects. An app that imports none pays nothing.

    mysqlclient         MySQLdb.connect(), SQLAlchemy's bare ``mysql://``, Django with an empty HOST, peewee
    PyMySQL             pymysql.connect(), ``mysql+pymysql://``, pymysql.install_as_MySQLdb()
    MySQLdb             where only PyMySQL is installed, it takes the name
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

# The modules whose class `Connection` is given defaults.
PATCHED = {"MySQLdb.connections", "pymysql.connections"}
# What Django asks MySQLdb for at least.
VERSION = (2, 2, 7, "final", 0)


def install():
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder())
    sys.meta_path.append(Alias())
    for name in PATCHED & sys.modules.keys():
        patch(sys.modules[name])


class Finder(importlib.abc.MetaPathFinder):
    """Finds nothing by itself; patches what others find."""

    def find_spec(self, name, path, target=None):
        if name not in PATCHED:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = Loader(spec.loader)
                return spec
        return None


class Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        # Whoever asks for the source, a traceback say, must find it.
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        patch(module)

    def __getattr__(self, name):
        return getattr(self.loader, name)


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """PyMySQL under the name MySQLdb, where nothing else has that name."""

    def find_spec(self, name, path, target=None):
        if name != "MySQLdb" or importlib.util.find_spec("pymysql") is None:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        import pymysql

        if pymysql.version_info < VERSION:
            # Django counts in mysqlclient's versions.
            pymysql.version_info = VERSION
        sys.modules["MySQLdb"] = pymysql


def patch(module):
    connection = getattr(module, "Connection", None)
    if connection is None or hasattr(connection.__init__, "_dae"):
        return
    init = connection.__init__

    def __init__(self, *args, **kwargs):
        if not args:
            kwargs = fill(kwargs)
        init(self, *args, **kwargs)

    __init__._dae = True
    __init__.__doc__ = init.__doc__
    __init__.__wrapped__ = init
    connection.__init__ = __init__


def fill(given):
    """What to connect with instead of `given`: where that names no server, the app's own."""
    if "DAE_MYSQL_HOST" not in os.environ or any(given.get(name) for name in ("host", "unix_socket", "read_default_file")):
        return given
    own = params()
    # An account elsewhere is none here.
    kept = {name: value for name, value in given.items() if name not in ("host", "port", "user", "passwd", "password")}
    if not any(kept.get(name) for name in ("db", "database")):
        kept.pop("db", None)
        kept["database"] = own["db"]
    return dict(kept, host=own["host"], port=own["port"], user=own["user"], password=own["passwd"])


def params():
    """The app's own database, by the names the real DAE gave them."""
    environ = os.environ
    name = environ.get("DAE_APPNAME", "")
    try:
        host = environ["DAE_MYSQL_HOST"]
    except KeyError:
        raise RuntimeError(
            "no database is set: run this with `dae serve`, or with `dae run -- CMD` (DAE_MYSQL_HOST is not in the environment)"
        ) from None
    return {
        "user": environ.get("DAE_MYSQL_USER", name),
        "passwd": environ.get("DAE_MYSQL_PASSWORD", ""),
        "host": host,
        "port": int(environ.get("DAE_MYSQL_PORT") or 3306),
        "db": environ.get("DAE_MYSQL_DB", name),
    }
