"""A memcached client of one file, for apps that bring none: the names, results and value flags of libmc.

As with libmc a server that is away is a cache without anything in it: `get` gives None, `set` gives False, and the log of
``dae.memcache`` says so. Connections are kept in a pool, one to each request under way; a forked process begins its own, and a
greenlet that is killed in the middle of an answer takes its connection with it.
"""

import bisect
import hashlib
import logging
import os
import socket
import time as clock
from collections import deque

from dae import mc_values

log = logging.getLogger("dae.memcache")

CONNECT_TIMEOUT = 1.0
TIMEOUT = 3.0
# A server that did not answer is left alone for so long.
RETRY = 1.0
KEY_LENGTH = 250
# So many keys are asked for at once.
KEYS_AT_ONCE = 500
# Places of each server on the circle by which keys are spread over several.
POINTS = 160

_FORBIDDEN = bytes(range(33)) + b"\x7f"


class Unavailable(Exception):
    """A server did not answer, or not as a memcached does."""


def split_address(text, port=11211):
    """``host:port``, ``[::1]:port`` or ``host``."""
    text = text.strip()
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest.lstrip(":") or port)
    host, _, given = text.partition(":")
    return host, int(given or port)


class Connection:
    def __init__(self, address):
        self.used = False
        self.socket = socket.create_connection(address, CONNECT_TIMEOUT)
        self.socket.settimeout(TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        line = self.file.readline(8192)
        if not line.endswith(b"\n"):
            raise Unavailable("the connection broke off")
        self.used = True
        return line.rstrip(b"\r\n")

    def block(self, length):
        data = self.file.read(length + 2)
        if len(data) != length + 2:
            raise Unavailable("the connection broke off")
        return data[:-2]

    def close(self):
        try:
            self.file.close()
            self.socket.close()
        except OSError:
            pass


class Server:
    """One server, with the connections to it that are not in use."""

    def __init__(self, name):
        self.name = name
        self.address = split_address(name)
        self.idle = deque()
        self.pid = os.getpid()
        self.away_until = 0.0

    def ask(self, request, read):
        """Sends `request`, and gives what `read` reads from the connection."""
        if self.pid != os.getpid():
            # They are the parent's: two processes on one of them would read each other's answers.
            self.idle, self.pid = deque(), os.getpid()
        if self.away_until and clock.monotonic() < self.away_until:
            raise Unavailable("it did not answer a moment ago")
        while True:
            try:
                connection, fresh = self.idle.pop(), False
            except IndexError:
                connection, fresh = self.connect(), True
            connection.used = False
            try:
                connection.send(request)
                answer = read(connection)
            except BaseException as error:
                connection.close()
                if not isinstance(error, (OSError, ValueError, Unavailable)):
                    raise
                timed_out = isinstance(error, socket.timeout)
                if fresh or connection.used or timed_out:
                    self.away(error)
                    raise Unavailable(str(error)) from error
                # A kept connection may have ended while nobody looked, with its server: nothing was answered on it yet.
                continue
            self.idle.append(connection)
            self.away_until = 0.0
            return answer

    def connect(self):
        try:
            return Connection(self.address)
        except OSError as error:
            self.away(error)
            raise Unavailable(str(error)) from error

    def away(self, error):
        if not self.away_until:
            log.warning("memcache %s does not answer: %s", self.name, error)
        self.away_until = clock.monotonic() + RETRY

    def close(self):
        while self.idle:
            self.idle.pop().close()


class Client:
    """`servers` is a list of ``host:port``, or a function that gives one at the first use."""

    def __init__(self, servers, do_split=True, comp_threshold=1024, prefix=None, logger=None):
        self._given = servers
        self._servers = None
        self._circle = None
        self.do_split = do_split
        self.comp_threshold = comp_threshold
        self.prefix = prefix.encode() if isinstance(prefix, str) else prefix or b""
        self._error = ""

    def __repr__(self):
        return "<memcache %s>" % (", ".join(self.servers) if self._servers else "unused")

    # where a key is kept

    def _open(self):
        if self._servers is None:
            given = self._given() if callable(self._given) else self._given
            servers = [Server(name) for name in given]
            circle = sorted((point, index) for index, server in enumerate(servers) for point in _points(server))
            self._circle = circle
            self._servers = servers
        return self._servers

    @property
    def servers(self):
        return [server.name for server in self._open()]

    def _server(self, key):
        servers = self._open()
        if len(servers) == 1:
            return servers[0]
        at = bisect.bisect_left(self._circle, (_hash(key), -1))
        return servers[self._circle[at % len(self._circle)][1]]

    def get_host_by_key(self, key):
        return self._server(self._key(key)).name

    def _key(self, key):
        """The key as bytes, or None where memcached would not take it."""
        wire = self.prefix + (key.encode("utf-8") if isinstance(key, str) else bytes(key))
        if not wire or len(wire) > KEY_LENGTH or wire.translate(None, _FORBIDDEN) != wire:
            self._error = "invalid key"
            log.warning("%r is no key: 1 to %d bytes, no blanks", key, KEY_LENGTH)
            return None
        return wire

    def _ask(self, key, request, read, otherwise):
        try:
            return self._server(key).ask(request, read)
        except Unavailable as error:
            self._error = str(error)
            return otherwise

    # reading

    def _fetch(self, keys, command=b"get"):
        """Of those of `keys` that are there: flags, data and version."""
        found = {}
        by_server = {}
        for key in keys:
            by_server.setdefault(self._server(key), []).append(key)
        for server, mine in by_server.items():
            for at in range(0, len(mine), KEYS_AT_ONCE):
                request = command + b" " + b" ".join(mine[at : at + KEYS_AT_ONCE]) + b"\r\n"
                try:
                    found.update(server.ask(request, _read_values))
                except Unavailable as error:
                    self._error = str(error)
                    break
        return found

    def _value(self, key, flags, data):
        if flags & mc_values.CHUNKED:
            try:
                count = int(data)
            except ValueError:
                return None
            if not 0 < count <= 1000:
                return None
            keys = [mc_values.piece_key(key, index) for index in range(count)]
            pieces = self._fetch(keys)
            if len(pieces) != count:
                return None
            data, flags = b"".join(pieces[piece][1] for piece in keys), flags & ~mc_values.CHUNKED
        return mc_values.decode(data, flags)

    def get(self, key, default=None):
        wire = self._key(key)
        found = self._fetch([wire]).get(wire) if wire else None
        if found is None:
            return default
        value = self._value(wire, found[0], found[1])
        return default if value is None else value

    def gets(self, key):
        """The value and its version, or None."""
        wire = self._key(key)
        found = self._fetch([wire], b"gets").get(wire) if wire else None
        return None if found is None else (self._value(wire, found[0], found[1]), found[2])

    def get_raw(self, key):
        """The bytes and their flags."""
        wire = self._key(key)
        found = self._fetch([wire]).get(wire) if wire else None
        return (None, 0) if found is None else (found[1], found[0])

    def get_multi(self, keys):
        """What is there, by key."""
        wires = {key: self._key(key) for key in keys}
        found = self._fetch([wire for wire in dict.fromkeys(wires.values()) if wire])
        answer = {}
        for key, wire in wires.items():
            if wire in found:
                value = self._value(wire, found[wire][0], found[wire][1])
                if value is not None:
                    answer[key] = value
        return answer

    def get_list(self, keys):
        """A value or None for each key."""
        keys = list(keys)
        found = self.get_multi(keys)
        return [found.get(key) for key in keys]

    # writing

    def _store(self, command, key, data, flags, time, cas=None):
        version = b"" if cas is None else b" %d" % cas
        request = b"%s %s %d %d %d%s\r\n%s\r\n" % (command, key, flags, int(time), len(data), version, data)
        return self._ask(key, request, Connection.line, b"") == b"STORED"

    def _put(self, command, key, value, time, compress, cas=None):
        wire = self._key(key)
        if wire is None:
            return False
        data, flags = mc_values.encode(value, self.comp_threshold if compress else 0)
        if len(data) > mc_values.CHUNK and self.do_split and len(wire) < KEY_LENGTH - 10:
            pieces = [data[at : at + mc_values.CHUNK] for at in range(0, len(data), mc_values.CHUNK)]
            for index, piece in enumerate(pieces):
                if not self._store(b"set", mc_values.piece_key(wire, index), piece, flags, time):
                    return False
            data, flags = b"%d" % len(pieces), flags | mc_values.CHUNKED
        return self._store(command, wire, data, flags, time, cas)

    def set(self, key, value, time=0, compress=True):
        return self._put(b"set", key, value, time, compress)

    def add(self, key, value, time=0, compress=True):
        return self._put(b"add", key, value, time, compress)

    def replace(self, key, value, time=0, compress=True):
        return self._put(b"replace", key, value, time, compress)

    def cas(self, key, value, time=0, cas=0):
        """Stores if the version is still the one that `gets` gave."""
        return self._put(b"cas", key, value, time, True, cas)

    def set_raw(self, key, data, time=0, flags=0):
        wire = self._key(key)
        return wire is not None and self._store(b"set", wire, data, flags, time)

    def set_multi(self, values, time=0, compress=True, return_failure=False):
        failed = [key for key, value in values.items() if not self.set(key, value, time, compress)]
        return (not failed, failed) if return_failure else not failed

    def _join(self, command, key, value):
        wire = self._key(key)
        data = value.encode("utf-8") if isinstance(value, str) else value
        return wire is not None and self._store(command, wire, data, 0, 0)

    def append(self, key, value):
        """Only for values that were set as bytes."""
        return self._join(b"append", key, value)

    def prepend(self, key, value):
        return self._join(b"prepend", key, value)

    def append_multi(self, keys, value):
        return all([self.append(key, value) for key in keys])

    def prepend_multi(self, keys, value):
        return all([self.prepend(key, value) for key in keys])

    def delete(self, key):
        """True when it is not there any more."""
        wire = self._key(key)
        if wire is None:
            return False
        return self._ask(wire, b"delete %s\r\n" % wire, Connection.line, b"") in (b"DELETED", b"NOT_FOUND")

    def delete_multi(self, keys, return_failure=False):
        failed = [key for key in keys if not self.delete(key)]
        return (not failed, failed) if return_failure else not failed

    def touch(self, key, time=0):
        wire = self._key(key)
        return wire is not None and self._ask(wire, b"touch %s %d\r\n" % (wire, time), Connection.line, b"") == b"TOUCHED"

    def _count(self, command, key, delta):
        wire = self._key(key)
        answer = self._ask(wire, b"%s %s %d\r\n" % (command, wire, delta), Connection.line, b"") if wire else b""
        return int(answer) if answer.isdigit() else None

    def incr(self, key, delta=1):
        """The new number, or None where there was none."""
        return self._count(b"incr", key, delta)

    def decr(self, key, delta=1):
        """The new number, never below 0, or None where there was none."""
        return self._count(b"decr", key, delta)

    # the servers

    def _each(self, request, read):
        answers = {}
        for server in self._open():
            try:
                answers[server.name] = server.ask(request, read)
            except Unavailable as error:
                self._error = str(error)
        return answers

    def flush_all(self):
        """The servers that let everything go."""
        return [name for name, answer in self._each(b"flush_all\r\n", Connection.line).items() if answer == b"OK"]

    def version(self):
        return {name: answer.decode().partition(" ")[2] for name, answer in self._each(b"version\r\n", Connection.line).items()}

    def stats(self):
        return self._each(b"stats\r\n", _read_stats)

    def get_last_error(self):
        """What went wrong last, in words; empty when nothing did."""
        return self._error

    get_last_strerror = get_last_error

    def close(self):
        for server in self._servers or ():
            server.close()

    quit = close

    def reset(self):
        """Nothing is kept from one request to the next."""

    clear = clear_thread_ident = reset


def _read_values(connection):
    found = {}
    while True:
        line = connection.line()
        if line == b"END":
            return found
        parts = line.split(b" ")
        if parts[0] != b"VALUE" or len(parts) < 4:
            raise Unavailable(line.decode("latin-1"))
        found[parts[1]] = int(parts[2]), connection.block(int(parts[3])), int(parts[4]) if len(parts) > 4 else 0


def _read_stats(connection):
    found = {}
    while True:
        line = connection.line()
        if line == b"END":
            return found
        word, _, rest = line.decode("latin-1").partition(" ")
        if word != "STAT":
            raise Unavailable(line.decode("latin-1"))
        name, _, value = rest.partition(" ")
        found[name] = value


def _hash(key):
    return int.from_bytes(hashlib.md5(key).digest()[:4], "little")


def _points(server):
    """Ketama: 40 digests of 4 points each."""
    host, port = server.address
    for index in range(POINTS // 4):
        digest = hashlib.md5(b"%s:%d-%d" % (host.encode(), port, index)).digest()
        for at in range(0, 16, 4):
            yield int.from_bytes(digest[at : at + 4], "little")
