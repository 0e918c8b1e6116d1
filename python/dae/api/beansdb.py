"""The app's persistent key-value store: ``from dae.api.beansdb import bdb``.

    bdb.set("user:1", {"name": "宁"})       bdb.get("user:1")        bdb.get_versions(["user:1"])

What `set` returns from is on disk; nothing expires. The server is the one that ``DAE_BEANSDB`` names, ``host:port``, asked for
at first use. Values are kept as libmc keeps them, unsplit, so that it reads what this writes and the other way round. One
client may be used by threads, greenlets and forked processes at once.
"""

import collections
import marshal
import os
import pickle
import select
import socket
import zlib

__all__ = ["BeansdbError", "Client", "Version", "bdb"]

LONGEST_KEY = 250
# What the flag of a value says of it.
PICKLE, INTEGER, LONG, BOOL, COMPRESSED, MARSHAL = 1, 2, 4, 8, 16, 32
# So many keys are asked for at once.
TOGETHER = 500

Version = collections.namedtuple("Version", "version hash flag length time")
Version.__doc__ = """What the store knows of a key; `version` is below zero where it was deleted, `time` is in seconds since 1970."""


class BeansdbError(OSError):
    """The store cannot be reached, or could not do what it was asked."""


class Client:
    """`address` is ``host:port``, several with commas between where any of them will do; `None`: what DAE_BEANSDB says.

    Values longer than `compress` bytes are compressed; 0: none is.
    """

    def __init__(self, address=None, timeout=10.0, compress=0):
        self.address = address
        self.timeout = timeout
        self.compress = compress
        self._idle = collections.deque()
        self._process = None

    def get(self, key, default=None):
        return self.get_multi([key]).get(key, default)

    def get_multi(self, keys):
        """The values that are there, by key."""
        return {key: _decode(value, flag) for key, (value, flag) in self._get(keys, b"").items()}

    def get_list(self, keys):
        """The values in the order of the keys; None where there is none."""
        keys = list(keys)
        found = self.get_multi(keys)
        return [found.get(key) for key in keys]

    def get_raw(self, key):
        """The bytes and the flag; None where there is no value."""
        return self._get([key], b"").get(key)

    def exists(self, key):
        version = self.get_versions([key]).get(key)
        return version is not None and version.version > 0

    def get_version(self, key):
        """Its version; below zero where it was deleted, 0 where it never was."""
        version = self.get_versions([key]).get(key)
        return version.version if version else 0

    def get_versions(self, keys):
        """A `Version` for each key that is, or was, there."""
        found = self._get(keys, b"?")
        return {key: Version(*map(int, value.split())) for key, (value, _) in found.items()}

    def list(self, path=""):
        """A level of the hash tree: what there is below `path`, hexadecimal digits, in pairs of a name and two numbers.

        A name that ends in / is a node, with a hash and how many keys are below; others are keys, with the hash of the value and the version.
        """
        found = self._get(["@" + path], b"").get("@" + path)
        if found is None:
            raise ValueError("`%s` is no path of the hash tree" % path)
        lines = (line.rsplit(b" ", 2) for line in found[0].splitlines())
        return [(_text(name), int(first), int(second)) for name, first, second in lines]

    def set(self, key, value, version=0):
        """True when it is on disk. False: `version`, where one is given, is not above the one that is there."""
        value, flag = _encode(value, self.compress)
        return self.set_raw(key, value, flag, version)

    def set_multi(self, values):
        """Whether all were stored."""
        return all([self.set(key, value) for key, value in values.items()])

    def set_raw(self, key, value, flag=0, version=0):
        line = b"set %s %d %d %d\r\n" % (_key(key), flag, version, len(value))
        return self._ask(line + value + b"\r\n", {b"STORED": True, b"NOT_STORED": False})

    def append(self, key, value):
        """Adds bytes to what other calls of it added. False: the key has a value of another kind."""
        if isinstance(value, str):
            value = value.encode()
        line = b"append %s 0 0 %d\r\n" % (_key(key), len(value))
        return self._ask(line + value + b"\r\n", {b"STORED": True, b"NOT_STORED": False})

    def incr(self, key, delta=1):
        """What the number is afterwards, never below zero. A key without one begins at 0; a value of another kind stays, and 0 is returned."""
        return self._ask(b"incr %s %d\r\n" % (_key(key), delta), {})

    def decr(self, key, delta=1):
        return self.incr(key, -delta)

    def delete(self, key):
        """Whether it was there."""
        return self._ask(b"delete %s\r\n" % _key(key), {b"DELETED": True, b"NOT_FOUND": False})

    def delete_multi(self, keys):
        """Whether all were there."""
        return all([self.delete(key) for key in keys])

    def close(self):
        """Closes the connections that nobody uses just now."""
        while self._idle:
            self._idle.pop().close()

    def _get(self, keys, before):
        names = {before + _key(key): key for key in keys}
        wire, found = list(names), {}
        for first in range(0, len(wire), TOGETHER):
            request = b"get " + b" ".join(wire[first : first + TOGETHER]) + b"\r\n"
            for name, value in self._talk(lambda connection: connection.values(request)):
                found[names[name]] = value
        return found

    def _ask(self, request, answers):
        answer = self._talk(lambda connection: connection.line(request))
        if answer in answers:
            return answers[answer]
        if answer.isdigit():
            return int(answer)
        raise BeansdbError(_text(answer))

    def _talk(self, talk):
        connection = self._connection()
        try:
            answer = talk(connection)
        except OSError as error:
            connection.close()
            if isinstance(error, BeansdbError):
                raise
            raise BeansdbError("beansdb at %s: %s" % (connection.address, error)) from error
        except BaseException:
            # What is still to come on it is nobody's answer.
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _connection(self):
        if self._process != os.getpid():
            # What was open before a fork is the parent's.
            self._idle, self._process = collections.deque(), os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._open()
            if connection.alive():
                return connection
            connection.close()

    def _open(self):
        addresses = self.address or os.environ.get("DAE_BEANSDB")
        if not addresses:
            raise BeansdbError("DAE_BEANSDB is not set: is this running under `dae serve` or `dae run`?")
        failed = None
        for address in addresses.split(","):
            host, _, port = address.strip().rpartition(":")
            try:
                return _Connection(address.strip(), socket.create_connection((host, int(port)), self.timeout))
            except (OSError, ValueError) as error:
                failed = BeansdbError("beansdb at %s: %s" % (address.strip(), error))
        raise failed


class _Connection:
    def __init__(self, address, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = address
        self.sock = sock
        self.file = sock.makefile("rb")

    def alive(self):
        """Nothing is to be read from one that rests, but that it was closed."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def close(self):
        self.file.close()
        self.sock.close()

    def line(self, request):
        self.sock.sendall(request)
        return self._line()

    def values(self, request):
        self.sock.sendall(request)
        found = []
        while True:
            words = self._line().split(b" ")
            if words == [b"END"]:
                return found
            if words[0] != b"VALUE":
                raise BeansdbError(_text(b" ".join(words)))
            _, name, flag, length = words
            value = self.file.read(int(length) + 2)
            if len(value) != int(length) + 2:
                raise ConnectionError("the connection was closed")
            found.append((name, (value[:-2], int(flag))))

    def _line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection was closed")
        return line.rstrip(b"\r\n")


def _key(key):
    name = key.encode() if isinstance(key, str) else bytes(key)
    if name and not name.startswith(b"@"):
        # Several apps may share the servers: each has its own keys. The tree of the hashes is all of theirs.
        name = os.environ.get("DAE_BEANSDB_PREFIX", "").encode() + name
    if not 0 < len(name) <= LONGEST_KEY or any(byte <= 32 or byte == 127 for byte in name):
        raise ValueError("not a key: 1 to %d bytes without spaces and control characters: %r" % (LONGEST_KEY, key))
    return name


def _text(line):
    return line.decode("utf-8", "replace")


def _encode(value, compress):
    kind = type(value)
    if kind is bytes:
        data, flag = value, 0
    elif kind is bool:
        data, flag = b"1" if value else b"0", BOOL
    elif kind is int:
        data, flag = b"%d" % value, LONG
    else:
        try:
            data, flag = marshal.dumps(value, 2), MARSHAL
        except ValueError:
            data, flag = pickle.dumps(value, 2), PICKLE
    if 0 < compress < len(data):
        data, flag = zlib.compress(data), flag | COMPRESSED
    return data, flag


def _decode(data, flag):
    if flag & COMPRESSED:
        data = zlib.decompress(data)
    if flag & (INTEGER | LONG):
        return int(data)
    if flag & BOOL:
        return bool(int(data))
    if flag & MARSHAL:
        return marshal.loads(data)
    if flag & PICKLE:
        return pickle.loads(data)
    return data


# The app's own.
bdb = Client()
