"""The app's own database as the default of MySQL drivers: a connection that names no host goes there.

    mysqlclient         MySQLdb.connect(), SQLAlchemy's bare ``mysql://``, Django with an empty HOST, peewee
    PyMySQL             pymysql.connect(), ``mysql+pymysql://``, pymysql.install_as_MySQLdb()
    MySQLdb             where only PyMySQL is installed, it takes the name

Imported only once a driver is: see defaults.py.
"""

import os

# What Django asks MySQLdb for at least.
VERSION = (2, 2, 7, "final", 0)


def pymysql_as_mysqldb():
    import pymysql

    if pymysql.version_info < VERSION:
        # Django counts in mysqlclient's versions.
        pymysql.version_info = VERSION
    return pymysql


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
