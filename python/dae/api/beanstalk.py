"""A client of beanstalkd's protocol, in the standard library alone.

Where several apps share a server, ``DAE_QUEUE_PREFIX`` stands before the names of this one's tubes: on the wire, and nowhere else.
"""

import os
import socket


class QueueError(Exception):
    """The queue server answered something else than was wanted, as `NOT_FOUND`."""


class Timeout(QueueError):
    """No job came in time."""


class DeadlineSoon(QueueError):
    """The time of a job that is held already is nearly over."""


class Job:
    """`id`, and `body` as bytes."""

    __slots__ = ("id", "body")

    def __init__(self, id, body):
        self.id, self.body = id, body


class Client:
    """One connection; not for several threads at once. It is made anew when it was lost between two requests."""

    def __init__(self, address, use="default", watch=()):
        host, _, port = address.rpartition(":")
        self.address = (host.strip("[]") or "127.0.0.1", int(port))
        self.using = use
        self.prefix = os.environ.get("DAE_QUEUE_PREFIX", "")
        self.watched = list(watch) or (["default"] if self.prefix else [])
        self.file = self.sock = None

    def connect(self):
        self.sock = socket.create_connection(self.address, timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A reserve may wait for ever.
        self.sock.settimeout(None)
        self.file = self.sock.makefile("rb")
        if self._tube(self.using) != b"default":
            self._exchange(b"use " + self._tube(self.using), "USING")
        for tube in self.watched:
            self._exchange(b"watch " + self._tube(tube), "WATCHING")
        if self.watched and b"default" not in map(self._tube, self.watched):
            self._exchange(b"ignore default", "WATCHING")

    def close(self):
        if self.sock is not None:
            self.file.close()
            self.sock.close()
            self.file = self.sock = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def use(self, tube):
        if tube != self.using:
            self.ask(b"use " + self._tube(tube), "USING")
            self.using = tube

    def put(self, body, pri=1024, delay=0, ttr=60):
        """The id of the new job."""
        if isinstance(body, str):
            body = body.encode()
        line = b"put %d %d %d %d\r\n" % (pri, delay, ttr, len(body))
        return int(self.ask(line + body, "INSERTED")[0])

    def reserve(self, timeout=None):
        line = b"reserve" if timeout is None else b"reserve-with-timeout %d" % timeout
        return self._job(line, "RESERVED")

    def reserve_job(self, id):
        return self._job(b"reserve-job %d" % id, "RESERVED")

    def peek(self, id):
        return self._job(b"peek %d" % id, "FOUND")

    def peek_ready(self):
        return self._job(b"peek-ready", "FOUND")

    def peek_buried(self):
        return self._job(b"peek-buried", "FOUND")

    def delete(self, job):
        self.ask(b"delete %d" % getattr(job, "id", job), "DELETED")

    def release(self, job, pri=1024, delay=0):
        self.ask(b"release %d %d %d" % (getattr(job, "id", job), pri, delay), "RELEASED")

    def bury(self, job, pri=1024):
        self.ask(b"bury %d %d" % (getattr(job, "id", job), pri), "BURIED")

    def touch(self, job):
        self.ask(b"touch %d" % getattr(job, "id", job), "TOUCHED")

    def kick(self, most):
        return int(self.ask(b"kick %d" % most, "KICKED")[0])

    def kick_job(self, job):
        self.ask(b"kick-job %d" % getattr(job, "id", job), "KICKED")

    def stats_job(self, job):
        return self._yaml(b"stats-job %d" % getattr(job, "id", job))

    def stats_tube(self, tube):
        return self._yaml(b"stats-tube " + self._tube(tube))

    def stats(self):
        return self._yaml(b"stats")

    def tubes(self):
        body = self._body(self.ask(b"list-tubes", "OK")[0])
        start = "- " + self.prefix
        return [line[len(start) :] for line in body.decode().splitlines() if line.startswith(start)]

    def _tube(self, name):
        return (self.prefix + name).encode()

    def ask(self, line, wanted):
        """Sends a request; the words behind `wanted` of its answer.

        A connection that was lost meanwhile is made anew and the request sent again, but only where nothing of it can
        have been done: a request that may have arrived is not repeated.
        """
        if self.sock is None:
            self.connect()
        elif self._is_lost():
            self.close()
            self.connect()
        try:
            return self._exchange(line, wanted)
        except (OSError, EOFError):
            self.close()
            raise

    def _is_lost(self):
        # Nothing is asked, so whatever can be read is the other side's end.
        try:
            self.sock.setblocking(False)
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        finally:
            self.sock.setblocking(True)

    def _exchange(self, line, wanted):
        self.sock.sendall(line + b"\r\n")
        answer = self.file.readline()
        if not answer.endswith(b"\r\n"):
            raise EOFError("the queue server closed the connection")
        word, *rest = answer.decode().split()
        if word == wanted:
            return rest
        raise {"TIMED_OUT": Timeout, "DEADLINE_SOON": DeadlineSoon}.get(word, QueueError)(answer.decode().strip())

    def _job(self, line, wanted):
        id, length = self.ask(line, wanted)
        return Job(int(id), self._body(length))

    def _body(self, length):
        length = int(length)
        body = self.file.read(length + 2)
        if len(body) != length + 2:
            self.close()
            raise EOFError("the queue server closed the connection")
        return body[:-2]

    def _yaml(self, line):
        told = {}
        for line in self._body(self.ask(line, "OK")[0]).decode().splitlines():
            key, colon, value = line.partition(": ")
            if colon:
                value = value.strip('"')
                told[key] = int(value) if value.isdigit() else value
        return told
