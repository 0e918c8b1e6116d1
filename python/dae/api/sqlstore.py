"""Data in MySQL as douban-sqlstore had it: `store` sends each statement to the farm that its table is in.

    store.execute("insert into entry (text) values (%s)", text)     the new row's id
    store.commit()
    store.execute("select text from entry where id=%s", id)         a tuple of tuples

Farms are named in dev.yaml (``sqlstore: {FARM: {host, port, user, passwd, db, tables: [...]}}``) and reach the app as JSON in
DAE_SQLSTORE; every other table is in the farm `*`, the app's own database. Reads see the newest rows; what is written
belongs to one transaction a farm and thread, until `commit` or `rollback`.
"""

import contextlib
import json
import os
import re
import threading

from dae.api import mysql

READS = {"select", "show", "describe", "desc", "explain"}
WRITES = {"insert", "replace", "update", "delete"}
# The statement's first table stands behind one of these.
TABLE = re.compile(r"\b(?:from|into|update|join|table|describe|desc|explain)\s+(?:ignore\s+|low_priority\s+)*[`\"]?([\w$.-]+)", re.I)
COMMENT = re.compile(r"/\*.*?\*/|(?:#|--\s)[^\n]*(?:\n|$)", re.S)
STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"", re.S)
# The server has gone away, or went during the query.
LOST = {2006, 2013, 2055}
OWN = "*"


class QueryDisabledException(Exception):
    """A statement that is not let through."""


class SqlStore:
    def __init__(self, farms=None, created_via="DAE_API"):
        self.created_via = created_via
        self._config = farms
        self._local = threading.local()
        self._lock = threading.Lock()
        self._free = {}
        self._pid = os.getpid()
        self._disabled = []

    # Statements.

    def execute(self, sql, args=None):
        """Runs `sql`: a read answers its rows, an insert the new id where there is one, anything else the count of rows.

        One argument need not be put into a tuple.
        """
        command, table = parse(sql)
        for pattern in self._disabled:
            if pattern.search(sql):
                raise QueryDisabledException(f"this statement is disabled: {sql}")
        if command == "delete" and not re.search(r"\bwhere\b", bare(sql), re.I):
            raise QueryDisabledException(f"a delete without where would empty the table: {sql}")
        if args is not None and not isinstance(args, (tuple, list, dict)):
            args = (args,)
        log = getattr(self._local, "log", None)
        if log is not None:
            log.append((sql, args))
        farm = self.farm_of(table)
        if command in READS:
            return self._read(farm, sql, args)
        with contextlib.closing(self._begun(farm).cursor()) as cursor:
            count = cursor.execute(sql, args)
            if command == "insert" and cursor.lastrowid:
                return cursor.lastrowid
            return count

    def _read(self, farm, sql, args):
        begun = self._transactions().get(farm)
        if begun is not None:
            return fetch(begun, sql, args)
        for attempt in (1, 2):
            connection = self._take(farm)
            try:
                rows = fetch(connection, sql, args)
            except Exception as error:
                if attempt == 1 and error.args and error.args[0] in LOST:
                    # One that had lain idle; a new one will do, for a read may be sent twice.
                    self._drop_free(farm)
                    continue
                raise
            self._give_back(farm, connection)
            return rows

    def get_cursor(self, farm=None, table=None, tables=None):
        """A cursor of the driver's, in this thread's transaction with that farm."""
        if farm is None:
            farms = {self.farm_of(name) for name in (tables or [table])}
            if len(farms) > 1:
                raise ValueError(f"the tables {', '.join(tables)} are in several farms: {', '.join(sorted(farms))}")
            farm = farms.pop()
        return self._begun(farm).cursor()

    @contextlib.contextmanager
    def manage_cursor(self, farm=None, table=None, tables=None):
        cursor = self.get_cursor(farm, table, tables)
        try:
            yield cursor
        finally:
            cursor.close()

    # Transactions.

    def commit(self):
        self._finish("commit")

    def rollback(self):
        self._finish("rollback")

    rollback_all = rollback

    def transaction_begin(self, farm=OWN):
        self._begun(farm)

    def transaction_end(self):
        self.commit()

    def refresh_all(self):
        """Forgets every connection that nobody uses."""
        with self._lock:
            free, self._free = self._free, {}
        for connections in free.values():
            for connection in connections:
                quietly(connection.close)

    def _finish(self, how):
        transactions = self._transactions()
        failed = None
        while transactions:
            farm, connection = transactions.popitem()
            try:
                getattr(connection, how)()
            except Exception as error:
                quietly(connection.close)
                failed = failed or error
            else:
                self._give_back(farm, connection)
        if failed is not None and how == "commit":
            raise failed

    def _begun(self, farm):
        transactions = self._transactions()
        if farm not in transactions:
            connection = self._take(farm)
            try:
                connection.begin() if hasattr(connection, "begin") else connection.query("BEGIN")
            except Exception as error:
                if not (error.args and error.args[0] in LOST):
                    raise
                self._drop_free(farm)
                connection = self._take(farm)
                connection.begin() if hasattr(connection, "begin") else connection.query("BEGIN")
            transactions[farm] = connection
        return transactions[farm]

    # Logs, as tests of douban-sqlstore's users had them.

    def start_log(self):
        self._local.log = []

    def get_log(self):
        return getattr(self._local, "log", None) or []

    def disable(self, pattern):
        """From now on a statement that `pattern` matches raises QueryDisabledException."""
        self._disabled.append(re.compile(pattern, re.I))

    # Farms.

    @property
    def farms(self):
        if self._config is None:
            self._config = json.loads(os.environ.get("DAE_SQLSTORE") or "{}")
        return self._config

    def farm_of(self, table):
        """The farm that `table` is in."""
        for name, farm in self.farms.items():
            if table and table in (farm.get("tables") or ()):
                return name
        for name, farm in self.farms.items():
            if OWN in (farm.get("tables") or ()):
                return name
        return OWN

    def _connect(self, farm):
        if farm == OWN:
            params = mysql.get_mysql_conn_params()
        elif farm in self.farms:
            params = {name: value for name, value in self.farms[farm].items() if name != "tables"}
        else:
            known = ", ".join(sorted(self.farms)) or "none"
            raise KeyError(f"there is no farm `{farm}`; dev.yaml names {known}")
        driver = mysql.driver()
        return driver.connect(
            host=params.get("host") or "127.0.0.1",
            port=int(params.get("port") or 3306),
            user=params.get("user") or "",
            password=params.get("passwd") or "",
            database=params.get("db") or "",
            charset="utf8mb4",
            autocommit=True,
        )

    # Connections: free ones are shared by all threads, one in a transaction is its thread's own.

    def _transactions(self):
        self._after_fork()
        try:
            return self._local.transactions
        except AttributeError:
            self._local.transactions = {}
            return self._local.transactions

    def _take(self, farm):
        self._after_fork()
        with self._lock:
            free = self._free.get(farm)
            if free:
                return free.pop()
        return self._connect(farm)

    def _give_back(self, farm, connection):
        with self._lock:
            self._free.setdefault(farm, []).append(connection)

    def _drop_free(self, farm):
        with self._lock:
            free = self._free.pop(farm, [])
        for connection in free:
            quietly(connection.close)

    def _after_fork(self):
        if self._pid != os.getpid():
            # A connection of the parent's is the parent's.
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._local = threading.local()
            self._inherited = self._free
            self._free = {}


def store_from_config(config=None, use_cache=True):
    """A store for farms written as douban-sqlstore had them: ``{'farms': {NAME: {'master': 'host:port:db:user:passwd',
    'tables': [...]}}}``. One farm must have the table `*`."""
    farms = {}
    for name, farm in (config or {}).get("farms", {}).items():
        host, port, db, user, passwd = farm["master"].split(":", 4)
        farms[name] = dict(host=host, port=int(port or 3306), db=db, user=user, passwd=passwd, tables=farm.get("tables") or [])
    if config is not None and not any(OWN in farm["tables"] for farm in farms.values()):
        raise ValueError("one farm must have the table `*`: that is where every other table is")
    return SqlStore(farms if config is not None else None)


def bare(sql):
    """`sql` without comments and texts."""
    return COMMENT.sub(" ", STRING.sub("''", sql))


def parse(sql):
    """The command and the first table of a statement."""
    text = bare(sql).strip().lstrip("(").lstrip()
    command = text.split(None, 1)[0].lower() if text else ""
    if command not in READS and command not in WRITES:
        raise ValueError(f"`{command}` is no command of sqlstore's: {sql!r}; use `get_cursor()` for anything else")
    found = TABLE.search(text)
    if not found and command in ("insert", "replace"):
        # `into` may be left out.
        found = re.match(r"\w+\s+(?:ignore\s+|low_priority\s+|delayed\s+)*[`\"]?([\w$.-]+)", text, re.I)
    table = found.group(1).rstrip("`\"") if found else None
    return command, table.rpartition(".")[2] if table else None


def fetch(connection, sql, args):
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(sql, args)
        return tuple(tuple(row) for row in cursor.fetchall())


def quietly(call):
    try:
        call()
    except Exception:
        pass


store = SqlStore()
