"""The processes that answer for an app's Thrift services: gunicorn, whose workers speak Thrift.

dae owns the listening sockets and lends them to each generation, so no port ever closes. A generation that ends answers what it
has begun, and gives its connections away: through one more lent socket, on which the next generation takes them. So a reload
ends no connection of any client.
"""

import logging
import os
import select
import socket
import sys
import threading
import time

import gunicorn.app.base
from gunicorn.workers.base import Worker

from dae import lifeline, source
from dae.thrift import about
from dae.web import tell

#: A client that stops in the middle of a message is not waited for longer, in seconds.
PATIENCE = 60


class Server(gunicorn.app.base.BaseApplication):
    def __init__(self, config, listeners, door, tell):
        self.config, self.listeners, self.door, self.tell = config, listeners, door, tell
        super().__init__()

    def load_config(self):
        config = self.config
        development = config["environment"] == "SDK"
        settings = {
            "bind": [f"fd://{os.dup(listener.fileno())}" for listener in self.listeners],
            "workers": config["nworkers"],
            "worker_class": ThriftWorker,
            "timeout": 0 if development else 120,
            "graceful_timeout": config["drain"],
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": f"dae {config['app']} services",
            "chdir": config["root"],
            "post_fork": lambda arbiter, worker: lifeline.hold(),
            "post_worker_init": lambda worker: self.tell(config, {"ready": os.getpid()}),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        from dae.thrift import service

        try:
            return Loaded(service.load(self.config))
        except service.Unfit as error:
            self.tell(self.config, {"broken": {"message": str(error), "traceback": ""}})
        # Whatever ends an import, sys.exit() included, is told as the app's failure.
        except BaseException as error:
            self.tell(self.config, {"broken": source.explain(error, self.config["root"])})
        # The code by which a gunicorn worker says that its app cannot be loaded.
        sys.exit(4)


class Loaded(list):
    """The services. gunicorn wants something to call, and nobody calls it."""

    def __call__(self, environ, start_response):
        raise NotImplementedError


class Draining(Exception):
    """This connection is to be given away."""


class ThriftWorker(Worker):
    """A thread a connection; with gevent's patches, which `worker: async` means, a greenlet."""

    def init_process(self):
        self.server = SERVING
        self.gevent = self.server.config["worker"] == "async"
        if self.gevent:
            from gevent import hub, monkey

            monkey.patch_all()
            hub.reinit()
        super().init_process()

    def run(self):
        self.draining = False
        self.connections = set()
        self.stop_reader, self.stop_writer = os.pipe()
        for service, listener in zip(self.wsgi, self.server.listeners):
            self.spawn(self.accept, service, own(listener))
        door = own(self.server.door)
        self.door_path = door.getsockname()
        self.spawn(self.take_over, door)
        while self.alive:
            self.notify()
            if os.getppid() != self.ppid:
                self.alive = False
            select.select([self.PIPE[0]], [], [], 1.0)
            self.empty_pipe()
        self.drain()

    def empty_pipe(self):
        try:
            os.read(self.PIPE[0], 4096)
        except OSError:
            pass

    @staticmethod
    def spawn(function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def incoming(self, listener):
        """What connects to `listener`, until it is time to go."""
        listener.setblocking(False)
        poll = select.poll()
        poll.register(listener.fileno(), select.POLLIN)
        poll.register(self.stop_reader, select.POLLIN)
        while True:
            poll.poll()
            if self.draining:
                return
            try:
                yield listener.accept()[0]
            except BlockingIOError:
                # Another worker was faster.
                pass
            except OSError as error:
                # Too many open files, most likely: those that are open may end.
                self.log.error("cannot accept a connection: %s", error)
                time.sleep(0.1)

    def accept(self, service, listener):
        for sock in self.incoming(listener):
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                pass
            self.spawn(Connection(self, service, sock).serve)

    def take_over(self, door):
        """Connections of the generation before."""
        for giver in self.incoming(door):
            self.spawn(self.taken, giver)

    def taken(self, giver):
        giver.setblocking(True)
        with giver:
            while True:
                data, fds, _, _ = socket.recv_fds(raw(giver), 1, 1) if not self.gevent else self.received(giver)
                if not data:
                    return
                sock = socket.socket(fileno=fds[0])
                if data[0] < len(self.wsgi):
                    self.spawn(Connection(self, self.wsgi[data[0]], sock).serve)
                else:
                    sock.close()

    @staticmethod
    def received(giver):
        from gevent import socket as gsocket

        gsocket.wait_read(giver.fileno())
        return socket.recv_fds(raw(giver), 1, 1)

    def drain(self):
        """Ends: what is under way is answered, and every connection given away."""
        self.draining = True
        os.write(self.stop_writer, b"x")
        if self.gevent:
            for connection in list(self.connections):
                connection.rouse()
        until = time.monotonic() + self.cfg.graceful_timeout
        while self.connections and time.monotonic() < until:
            self.notify()
            time.sleep(0.005)

    def give_away(self, connection):
        number = [service is connection.service for service in self.wsgi].index(True)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as taker:
                taker.settimeout(2)
                taker.connect(self.door_path)
                socket.send_fds(raw(taker), [bytes((number,))], [connection.sock.fileno()])
        except OSError:
            # There is nobody after this one: the client sees its connection close.
            pass


class Connection:
    def __init__(self, worker, service, sock):
        self.worker, self.service, self.sock = worker, service, sock
        worker.connections.add(self)
        if worker.gevent:
            import gevent

            sock.settimeout(None)
            self.raw, self.hub, self.greenlet = raw(sock), gevent.get_hub(), None
            self.watcher, self.watches, self.idle = self.hub.loop.io(sock.fileno(), 1), False, False
        else:
            sock.setblocking(True)
            seconds = PATIENCE.to_bytes(8, sys.byteorder) + bytes(8)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
            self.poll = select.poll()
            self.poll.register(sock.fileno(), select.POLLIN)
            self.poll.register(worker.stop_reader, select.POLLIN)

    def serve(self):
        from dae.thrift import wire

        reader, quick, first, answering = wire.Reader(self.receive), wire.quick, self.first, self.service.answer
        if self.worker.gevent:
            import gevent

            self.greenlet = gevent.getcurrent()
        try:
            while True:
                data = b"" if reader.left else first()
                message = quick(data)
                if message is None:
                    message = reader.next(data)
                    if message is None:
                        return
                    answer = answering(message)
                    reader.done(message)
                else:
                    answer = answering(message)
                if answer is not None:
                    self.send(answer)
        except Draining:
            self.worker.give_away(self)
        except wire.Garbage as error:
            self.worker.log.warning("a client of %s sent %s", self.service.name, error)
        except (EOFError, OSError):
            pass
        finally:
            self.worker.connections.discard(self)
            if self.worker.gevent:
                self.watcher.stop()
                self.watcher.close()
            self.sock.close()

    def first(self):
        """The first bytes of the next message, however long it takes; empty where the client has closed."""
        worker = self.worker
        if worker.draining:
            raise Draining
        if worker.gevent:
            while True:
                self.wait()
                try:
                    return self.raw.recv(65536)
                except BlockingIOError:
                    pass
        self.poll.poll()
        if worker.draining:
            raise Draining
        return self.sock.recv(65536)

    # gevent's own `recv` tries, fails, and only then begins to watch, anew for each call; a watcher that stays costs half.

    def wait(self):
        """Until something comes. Others run meanwhile."""
        if not self.watches:
            self.watcher.start(self.wake)
            self.watches = True
        self.idle = True
        try:
            self.hub.switch()
        finally:
            self.idle = False

    def wake(self):
        if self.idle:
            self.greenlet.switch()
        else:
            # It is busy; when it waits again, it watches again.
            self.watcher.stop()
            self.watches = False

    def rouse(self):
        """If it waits for the next call, it gives its connection away."""
        if self.idle:
            self.idle = False
            self.hub.loop.run_callback(self.greenlet.throw, Draining)

    def send(self, answer):
        if not self.worker.gevent:
            self.sock.sendall(answer)
            return
        try:
            sent = self.raw.send(answer)
        except BlockingIOError:
            sent = 0
        if sent != len(answer):
            self.sock.sendall(memoryview(answer)[sent:])

    def receive(self):
        """More of a message."""
        if not self.worker.gevent:
            return self.sock.recv(65536)
        self.sock.settimeout(PATIENCE)
        try:
            return self.sock.recv(65536)
        finally:
            self.sock.settimeout(None)


def raw(sock):
    return getattr(sock, "_sock", sock)


def own(sock):
    """The same socket as this process's libraries have it: gevent's, once it has patched."""
    return socket.socket(fileno=os.dup(sock.fileno()))


def name_requests():
    """Each record of `logging` has the id of the request it belongs to, `request_id`; where the app has not said how lines
    look, it begins them."""
    make = logging.getLogRecordFactory()

    def record(*args, **named):
        made = make(*args, **named)
        made.request_id = about.request_id() or "-"
        return made

    logging.setLogRecordFactory(record)
    if logging.lastResort:
        logging.lastResort.setFormatter(logging.Formatter("%(levelname)s [%(request_id)s] %(name)s: %(message)s"))


#: The one server of this process.
SERVING = None


def serve(config, listeners, door, tell=tell):
    global SERVING
    if config["environment"] == "SDK":
        source.never_stale(config["root"])
    name_requests()
    SERVING = Server(config, listeners, door, tell)
    SERVING.run()
