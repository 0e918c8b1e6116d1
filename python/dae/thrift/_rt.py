"""Finds the instances of a service, keeps connections to them, and goes on to the next when one fails.

A call that was not sent goes to the next instance, always. One that was sent and not answered is sent again only if the IDL
says `(dae.idempotent = "true")`; else it raises `Interrupted`, for nobody knows whether it was done. An instance that failed
is left alone for `EJECTED` seconds. Instances are looked for, at most every `FRESH` seconds, in

    DAE_SERVICE_<APP>_<SERVICE>   host:port, several with commas between
    DAE_ZOOKEEPER                 host:port of a ZooKeeper: the children of /dae/services/<app>/<Service>; needs kazoo
    DAE_SERVICE_DNS               domains, with commas between: the instances of the name <app>-service-<service> in the first
                                  that has it, which are its SRV records of _thrift._tcp where dnspython is installed, else
                                  its addresses, port 7303
    DAE_SERVICES                  folders, with colons between: <app>.<Service> in one of them names what is served on this
                                  machine; dae's run folder, where it is not set
    Kubernetes, inside of a pod   the same name in the pod's own namespace, else in the namespace that is called as the app

and are 127.0.0.1:7303 where none of these says anything.
"""

import itertools
import os
import random
import select
import socket
import stat
import struct
import sys
import tempfile
import threading
import time
import weakref

PORT = 7303
RESOLV_CONF = "/etc/resolv.conf"
FRESH, EJECTED, IDLE = 5.0, 2.0, 60.0
LARGEST = 256 << 20


class Unavailable(ConnectionError):
    """The call was sent to nobody."""


class Interrupted(ConnectionError):
    """The call was sent and not answered: whether it was done is not known."""


class TimedOut(Interrupted, TimeoutError):
    """It was not answered in time."""


def find(app, service):
    """[(host, port)] of a service's instances."""
    for look in (_named, _in_zookeeper, _in_dns, _on_this_machine, _in_cluster):
        found = look(app, service)
        if found:
            return found
    if os.environ.get("DAE_ZOOKEEPER"):
        raise Unavailable(f"no instance of {app}.{service} is listed in the ZooKeeper at {os.environ['DAE_ZOOKEEPER']}")
    return [("127.0.0.1", PORT)]


def _named(app, service):
    return parse(os.environ.get(f"DAE_SERVICE_{app}_{service}".upper(), ""))


def parse(text):
    found = []
    for part in text.replace(",", " ").split():
        host, colon, port = part.rpartition(":")
        if not colon or not port.isdigit():
            raise ValueError(f"{part!r} is no address of a service: write host:port")
        found.append((host.strip("[]"), int(port)))
    return found


def _on_this_machine(app, service):
    run = os.environ.get("XDG_RUNTIME_DIR")
    run = os.path.join(run, "dae") if run else os.path.join(tempfile.gettempdir(), f"dae-{os.getuid()}")
    folders = os.environ.get("DAE_SERVICES") or os.path.join(run, "services")
    for folder in folders.split(":"):
        try:
            with open(os.path.join(folder, f"{app}.{service}")) as file:
                about = os.fstat(file.fileno())
                if about.st_uid == os.getuid() and not about.st_mode & stat.S_IWOTH:
                    return parse(file.read(4096))
        except OSError:
            pass
    return []


def _in_dns(app, service):
    return _under(os.environ.get("DAE_SERVICE_DNS", "").replace(",", " ").split(), app, service)


def _in_cluster(app, service):
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return []
    with open(RESOLV_CONF) as file:
        search = [domain for line in file if line.startswith("search") for domain in line.split()[1:]]
    # As Kubernetes has it: NAMESPACE.svc.cluster.local svc.cluster.local cluster.local, and what the machine has.
    for own, all_of_them in zip(search, search[1:]):
        if all_of_them.startswith("svc.") and own.endswith("." + all_of_them):
            return _under([own, f"{host(app)}.{all_of_them}"], app, service)
    return []


def host(name):
    """A name of app.yaml or an IDL as the DNS has it; as `component` in src/remote/kubernetes/manifests.rs."""
    return name.lower().replace("_", "-").strip("-")


def _under(domains, app, service):
    names = [f"{host(app)}-service-{host(service)}.{domain.rstrip('.')}." for domain in domains]
    for name in names:
        found = _srv("_thrift._tcp." + name) or _addresses(name)
        if found:
            return found
    if names:
        raise Unavailable(f"the DNS knows no {' and no '.join(names)}")
    return []


def _srv(name):
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        return []
    try:
        # Kubernetes gives an alias, a Service of type ExternalName, the port 0: its addresses are what counts.
        answer = [one for one in dns.resolver.resolve(name, "SRV", lifetime=2) if one.port]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise Unavailable(f"the DNS does not say where {name} is: {error}") from error
    # Those of a higher number are for when there is none of these (RFC 2782).
    least = min((one.priority for one in answer), default=0)
    return [(str(one.target).rstrip("."), one.port) for one in answer if one.priority == least]


def _addresses(name):
    try:
        found = socket.getaddrinfo(name, PORT, socket.AF_UNSPEC, socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
            return []
        raise Unavailable(f"the DNS does not say where {name} is: {error}") from error
    return list(dict.fromkeys(address[:2] for *_, address in found))


#: Counts what a ZooKeeper said of changes: what was found before is to be looked for again.
_changes = 0
_zookeepers = {}
_opening = threading.Lock()


def _in_zookeeper(app, service):
    servers = os.environ.get("DAE_ZOOKEEPER")
    if not servers:
        return []
    with _opening:
        known = _zookeepers.get(servers) or _zookeepers.setdefault(servers, _ZooKeeper(servers))
    return known.addresses(f"/dae/services/{app}/{service}")


class _ZooKeeper:
    """What a ZooKeeper lists, looked at again when it says that it has changed."""

    def __init__(self, servers):
        try:
            from kazoo.client import KazooClient
            from kazoo.exceptions import KazooException, NoNodeError
            from kazoo.retry import KazooRetry
        except ImportError:
            why = "DAE_ZOOKEEPER is set, and this Python has no kazoo to ask it with: pip install kazoo"
            raise Unavailable(why) from None
        self.missing, self.errors, self.servers = NoNodeError, KazooException, servers
        self.found, self.stale = {}, set()
        self.client = KazooClient(servers, timeout=6, connection_retry=KazooRetry(max_tries=-1, max_delay=1))
        self.client.add_listener(self.heard)
        try:
            self.client.start(timeout=5)
        except Exception as error:
            self.client.stop()
            raise Unavailable(f"the ZooKeeper at {servers} does not answer: {error}") from error

    def heard(self, state):
        # After a lost session nobody tells of changes any more.
        self.changed(*self.found)

    def changed(self, *paths):
        global _changes
        self.stale.update(getattr(path, "path", path) for path in paths)
        _changes += 1

    def addresses(self, path):
        if path not in self.found or path in self.stale:
            if not self.client.connected:
                raise Unavailable(f"the ZooKeeper at {self.servers} does not answer")
            self.stale.discard(path)
            try:
                try:
                    listed = self.client.get_children_async(path, watch=self.changed).get(timeout=2)
                except self.missing:
                    listed = []
                    self.client.exists_async(path, watch=self.changed).get(timeout=2)
            except (self.errors, self.client.handler.timeout_exception) as error:
                self.stale.add(path)
                raise Unavailable(f"the ZooKeeper at {self.servers} does not answer: {error!r}") from error
            self.found[path] = parse(" ".join(sorted(listed)))
        return self.found[path]


class Connection:
    """A socket that speaks frames, one call at a time."""

    def __init__(self, address, connect_timeout, read_timeout):
        sock = socket.create_connection(address, connect_timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.timeout, self.used = sock, read_timeout, 0.0
        # The socket of the system itself: gevent's would wait for what is only looked for.
        self.raw = getattr(sock, "_sock", sock)
        self.poll = None
        if self.raw is sock:
            self.poll = select.poll()
            self.poll.register(sock.fileno(), select.POLLIN)
            # The system's own timeouts cost no further calls to it; Python's cost two a call.
            sock.settimeout(None)
        self.limit(read_timeout)

    def is_open(self):
        """Whether the other side has neither closed it nor said what nobody asked for."""
        if self.poll:
            return not self.poll.poll(0)
        try:
            self.raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def limit(self, seconds):
        """The read timeout from now on."""
        self.timeout = seconds
        if self.raw is self.sock:
            whole = struct.pack("ll", int(seconds), max(1, int(seconds % 1 * 1e6)))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, whole)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, whole)
        else:
            self.sock.settimeout(seconds)

    def ask(self, request, oneway, within):
        if within != self.timeout:
            self.limit(within)
        sock = self.sock
        try:
            sock.sendall(request)
            if oneway:
                return None
            data = sock.recv(65536)
            if len(data) >= 4 and int.from_bytes(data[:4], "big") == len(data) - 4:
                return data
            return self._rest(data)
        except (BlockingIOError, socket.timeout) as error:
            raise TimeoutError(f"no answer within {self.timeout:.3g} seconds") from error

    def _rest(self, data):
        data, length, until = bytearray(data), None, time.monotonic() + self.timeout
        while True:
            if len(data) >= 4 and length is None:
                length = 4 + int.from_bytes(data[:4], "big")
                if length > LARGEST:
                    raise ConnectionError(f"an answer of {length} bytes")
            if length is not None and len(data) >= length:
                if len(data) > length:
                    raise ConnectionError("more came than was asked for")
                return bytes(data)
            if time.monotonic() > until:
                raise TimeoutError(f"no whole answer within {self.timeout} seconds")
            part = self.sock.recv(min(1 << 20, (length or 4) - len(data)))
            if not part:
                raise ConnectionError("the connection was closed before the answer")
            data += part

    def close(self):
        self.sock.close()


class Endpoint:
    """An instance and its free connections."""

    def __init__(self, address):
        self.address, self.idle, self.ejected_until = address, [], 0.0

    def take(self, connect_timeout, read_timeout):
        while True:
            try:
                connection = self.idle.pop()
            except IndexError:
                return Connection(self.address, connect_timeout, read_timeout)
            if time.monotonic() - connection.used < IDLE and connection.is_open():
                return connection
            connection.close()

    def give_back(self, connection):
        connection.used = time.monotonic()
        self.ejected_until = 0.0
        self.idle.append(connection)

    def failed(self):
        self.ejected_until = time.monotonic() + EJECTED
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.close()


_clients = weakref.WeakSet()


def _after_fork():
    # A connection belongs to one process.
    global _opening
    _opening = threading.Lock()
    for client in list(_clients):
        client._endpoints, client._fresh_until, client._lock = {}, 0.0, threading.Lock()
    _zookeepers.clear()


os.register_at_fork(after_in_child=_after_fork)


class Client:
    """A service of another app. Its methods are those of the IDL; threads and greenlets may share it."""

    def __init__(self, app, service, retries=3, connect_timeout=1.2, read_timeout=2.0, finder=find):
        self._app, self._service, self._find = app, service, finder
        self._retries, self._connect_timeout, self._read_timeout = retries, connect_timeout, read_timeout
        self._endpoints, self._fresh_until, self._lock, self._seen = {}, 0.0, threading.Lock(), 0
        self._turn = itertools.count(random.randrange(1 << 16))
        _clients.add(self)

    def __repr__(self):
        return f"<{self._app}.{self._service} at {', '.join('%s:%s' % address for address in self._known()) or 'nowhere'}>"

    def _call(self, method, args):
        about = sys.modules.get("dae.thrift.about")
        trailer = about.trailer() if about else b""
        until = None
        if trailer:
            left = about.deadline()
            until = None if left is None else time.monotonic() + left
        frame = self._ask(method, method.request(args, trailer), until)
        return None if method.oneway else method.outcome(frame)

    def _ask(self, method, request, until=None):
        sent, passes, tried, last = 0, 0, [], None
        connect_within, within = self._connect_timeout, self._read_timeout
        while True:
            if until is not None:
                connect_within, within = limits(self, method, until, last)
            endpoint = self._choose(tried)
            if endpoint is None:
                if passes >= self._retries:
                    raise Unavailable(f"{self!r}: {last or 'there is no instance'}") from last
                passes += 1
                time.sleep(0.02 * passes)
                tried.clear()
                self._fresh_until = 0.0
                continue
            tried.append(endpoint)
            try:
                connection = endpoint.take(connect_within, within)
            except OSError as error:
                last = error
                endpoint.failed()
                continue
            try:
                frame = connection.ask(request, method.oneway, within)
            except OSError as error:
                connection.close()
                endpoint.failed()
                last, sent = error, sent + 1
                if not method.idempotent or sent > self._retries:
                    kind = TimedOut if isinstance(error, TimeoutError) else Interrupted
                    raise kind(f"{method.name} of {self!r}: {error}") from error
                continue
            except BaseException:
                # Somebody gave up in the middle; the answer would be taken for that of another call.
                connection.close()
                raise
            endpoint.give_back(connection)
            return frame

    def _choose(self, tried):
        endpoints = self._known()
        if len(endpoints) == 1 and not tried:
            return next(iter(endpoints.values()))
        left = [endpoint for endpoint in endpoints.values() if endpoint not in tried]
        now = time.monotonic()
        well = [endpoint for endpoint in left if endpoint.ejected_until <= now]
        if well:
            return well[next(self._turn) % len(well)]
        # All have failed lately: the one that has been left alone for longest.
        return min(left, key=lambda endpoint: endpoint.ejected_until, default=None)

    def _known(self):
        if time.monotonic() < self._fresh_until and self._seen == _changes:
            return self._endpoints
        with self._lock:
            seen = _changes
            if time.monotonic() >= self._fresh_until or self._seen != seen:
                self._endpoints = known(self._endpoints, self._find, self._app, self._service)
                self._fresh_until, self._seen = time.monotonic() + FRESH, seen
        return self._endpoints


def limits(client, method, until, last):
    """What is left of the connect and the read timeout of a call whose answer is of no use after `until`."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimedOut(f"{method.name} of {client!r}: the time its caller gave it is over") from last
    return min(client._connect_timeout, left), min(client._read_timeout, left)


def known(before, find, app, service):
    """Endpoints by their addresses; those there were keep their connections."""
    try:
        addresses = find(app, service)
    except ValueError:
        raise
    except Exception:
        # Whoever knows the instances is away; those that are known may still be there.
        if not before:
            raise
        addresses = before
    return {address: before.get(address) or Endpoint(address) for address in addresses}
