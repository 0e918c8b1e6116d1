"""The app's own MySQL database.

    from dae.api.mysql import connect
    with connect() as db: ...

Everything else of the driver that the app has pinned (mysqlclient or PyMySQL) is here too, as in ``mysql.IntegrityError``.
"""

from dae.drivers import params as get_mysql_conn_params

__all__ = ["connect", "driver", "get_mysql_conn_params"]


def connect(*args, **kwargs):
    """A connection to the app's own database; arguments are the driver's own and count first."""
    if not args and not kwargs.get("host") and not kwargs.get("unix_socket"):
        own = get_mysql_conn_params()
        if kwargs.get("db") or kwargs.get("database"):
            del own["db"]
        # Newer drivers no longer know the older names.
        own = {{"passwd": "password", "db": "database"}.get(name, name): value for name, value in own.items()}
        kwargs = {**own, **kwargs}
    return driver().connect(*args, **kwargs)


def driver():
    """The driver that is installed: MySQLdb (mysqlclient) first, then pymysql."""
    for name in ("MySQLdb", "pymysql"):
        try:
            return __import__(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise ImportError("this app has no MySQL driver: type `dae install pymysql`, or `dae install mysqlclient`")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(driver(), name)
