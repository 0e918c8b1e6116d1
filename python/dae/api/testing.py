"""For an app's tests: ``with login("ann"): client.get("/")``, and everything as it was, quickly.

    @pytest.fixture(autouse=True)
    def as_it_was():
        dae.api.testing.reset()

The first `reset` of a process remembers the rows of the app's own database and the files in its permdir; each later one
brings back what has changed since. memcache is emptied every time. It is for the small data of tests: all of it is kept in
memory.
"""

import contextlib
import os
import shutil
import socket
import zlib

from dae.api import mysql, permdir, users

_known = None


def reset():
    global _known
    if _known is None:
        _known = {"rows": _rows() if _has_database() else None, "files": _files()}
    else:
        if _known["rows"] is not None:
            _bring_back(_known["rows"])
        if _files() != _known["files"]:
            _write(_known["files"])
    _empty_memcache()


def _has_database():
    if "DAE_MYSQL_HOST" not in os.environ:
        return False
    try:
        mysql.driver()
    except ImportError:
        return False
    return True


_connection = None


def _cursor():
    global _connection
    if _connection is None or _connection[0] != os.getpid():
        _connection = (os.getpid(), mysql.connect(autocommit=True, charset="utf8mb4"))
    return _connection[1].cursor()


def _tables(cursor):
    cursor.execute("show full tables where table_type = 'BASE TABLE'")
    return [row[0] for row in cursor.fetchall()]


def _sums(cursor, tables):
    """What tells whether a table is as it was: a checksum of its rows, and its next id."""
    if not tables:
        return {}
    cursor.execute("checksum table " + ", ".join(map(_quoted, tables)))
    sums = [row[1] for row in cursor.fetchall()]
    return dict(zip(tables, sums))


def _rows():
    cursor = _cursor()
    try:
        tables = _tables(cursor)
        sums = _sums(cursor, tables)
        kept = {}
        for table in tables:
            cursor.execute("show columns from " + _quoted(table))
            columns = [row[0] for row in cursor.fetchall() if "GENERATED" not in row[5]]
            cursor.execute(f"select {', '.join(map(_quoted, columns))} from {_quoted(table)}")
            rows = cursor.fetchall()
            cursor.execute("select auto_increment from information_schema.tables where table_schema = database() and table_name = %s", (table,))
            kept[table] = (sums[table], columns, rows, cursor.fetchone()[0])
        return kept
    finally:
        cursor.close()


def _bring_back(kept):
    cursor = _cursor()
    try:
        tables = _tables(cursor)
        sums = _sums(cursor, tables)
        changed = [table for table in tables if table not in kept or sums[table] != kept[table][0]]
        if not changed:
            return
        cursor.execute("set foreign_key_checks=0")
        cursor.execute("begin")
        for table in changed:
            if table in kept:
                _, columns, rows, _ = kept[table]
                cursor.execute("delete from " + _quoted(table))
                if rows:
                    marks = ", ".join(["%s"] * len(columns))
                    names = ", ".join(map(_quoted, columns))
                    cursor.executemany(f"insert into {_quoted(table)} ({names}) values ({marks})", rows)
        cursor.execute("commit")
        for table in changed:
            if table not in kept:
                cursor.execute("drop table " + _quoted(table))
            elif kept[table][3] is not None:
                cursor.execute(f"alter table {_quoted(table)} auto_increment = {kept[table][3]}")
        cursor.execute("set foreign_key_checks=1")
    finally:
        cursor.close()


def _quoted(name):
    return "`" + name.replace("`", "``") + "`"


def _files():
    root = permdir.get_permdir()
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, root)] = file.read()
    return files


def _write(files):
    root = permdir.get_permdir()
    for entry in os.scandir(root):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    for name, content in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def _empty_memcache():
    for address in filter(None, os.environ.get("DAE_MEMCACHE", "").split(",")):
        host, _, port = address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as connection:
            connection.sendall(b"flush_all\r\n")
            connection.recv(64)


@contextlib.contextmanager
def login(user, admin=False):
    """As long as this goes on, `user` is who asks: a name, a `User`, or None for nobody."""
    if user is None:
        told = None
    elif isinstance(user, users.User):
        told = {"id": user.id, "name": user.name, "username": user.username, "email": user.email, "admin": user.admin}
    else:
        name = str(user)
        number = str(1000 + zlib.crc32(name.encode()) % 100_000_000)
        told = {"id": number, "name": name, "username": name, "email": name + "@example.com", "admin": admin}
    token = users.pretended.set(told)
    try:
        yield told and users.User(told["id"], told["name"], told["username"], told["email"], told["admin"])
    finally:
        users.pretended.reset(token)
