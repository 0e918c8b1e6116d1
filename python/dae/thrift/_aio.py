"""The same rules as `_rt.py` for asyncio. A client belongs to the event loop it is used in."""

import asyncio
import itertools
import random
import sys
import time

from . import _rt


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.used = reader, writer, 0.0

    @classmethod
    async def open(cls, address, timeout):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), timeout)
        return cls(reader, writer)

    def is_open(self):
        return not (self.reader.at_eof() or self.reader.exception() or self.writer.is_closing())

    async def ask(self, request, oneway):
        self.writer.write(request)
        await self.writer.drain()
        if oneway:
            return None
        try:
            head = await self.reader.readexactly(4)
            length = int.from_bytes(head, "big")
            if length > _rt.LARGEST:
                raise ConnectionError(f"an answer of {length} bytes")
            return head + await self.reader.readexactly(length)
        except asyncio.IncompleteReadError:
            raise ConnectionError("the connection was closed before the answer") from None

    def close(self):
        self.writer.close()


class Client:
    """A service of another app. Its methods are those of the IDL, with `await`."""

    def __init__(self, app, service, retries=3, connect_timeout=1.2, read_timeout=2.0, finder=_rt.find):
        self._app, self._service, self._find = app, service, finder
        self._retries, self._connect_timeout, self._read_timeout = retries, connect_timeout, read_timeout
        self._endpoints, self._fresh_until, self._loop, self._seen = {}, 0.0, None, 0
        self._turn = itertools.count(random.randrange(1 << 16))

    def __repr__(self):
        known = ", ".join("%s:%s" % address for address in self._endpoints)
        return f"<{self._app}.{self._service} at {known or 'nowhere yet'}>"

    async def _call(self, method, args):
        about = sys.modules.get("dae.thrift.about")
        left = about.deadline() if about else None
        until = None if left is None else time.monotonic() + left
        frame = await self._ask(method, method.request(args, about.trailer() if about else b""), until)
        return None if method.oneway else method.outcome(frame)

    async def _ask(self, method, request, until):
        sent, passes, tried, last = 0, 0, [], None
        connect_within, within = self._connect_timeout, self._read_timeout
        while True:
            if until is not None:
                connect_within, within = _rt.limits(self, method, until, last)
            endpoint = self._choose(await self._known(), tried)
            if endpoint is None:
                if passes >= self._retries:
                    raise _rt.Unavailable(f"{self!r}: {last or 'there is no instance'}") from last
                passes += 1
                await asyncio.sleep(0.02 * passes)
                tried.clear()
                self._fresh_until = 0.0
                continue
            tried.append(endpoint)
            try:
                connection = await self._connection(endpoint, connect_within)
            except (OSError, asyncio.TimeoutError) as error:
                last = error
                endpoint.failed()
                continue
            try:
                frame = await asyncio.wait_for(connection.ask(request, method.oneway), within)
            except (OSError, asyncio.TimeoutError) as error:
                connection.close()
                endpoint.failed()
                last, sent = error, sent + 1
                if not method.idempotent or sent > self._retries:
                    late = isinstance(error, (TimeoutError, asyncio.TimeoutError))
                    why = f"no answer within {within:.3g} seconds" if late else error
                    raise (_rt.TimedOut if late else _rt.Interrupted)(f"{method.name} of {self!r}: {why}") from error
                continue
            except BaseException:
                connection.close()
                raise
            endpoint.give_back(connection)
            return frame

    async def _connection(self, endpoint, within):
        while endpoint.idle:
            connection = endpoint.idle.pop()
            if time.monotonic() - connection.used < _rt.IDLE and connection.is_open():
                return connection
            connection.close()
        return await Connection.open(endpoint.address, within)

    def _choose(self, endpoints, tried):
        left = [endpoint for endpoint in endpoints.values() if endpoint not in tried]
        now = time.monotonic()
        well = [endpoint for endpoint in left if endpoint.ejected_until <= now]
        if well:
            return well[next(self._turn) % len(well)]
        return min(left, key=lambda endpoint: endpoint.ejected_until, default=None)

    async def _known(self):
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Connections belong to the loop they were made in.
            self._loop, self._endpoints, self._fresh_until = loop, {}, 0.0
        seen = _rt._changes
        if time.monotonic() >= self._fresh_until or self._seen != seen:
            before = self._endpoints
            known = await loop.run_in_executor(None, _rt.known, before, self._find, self._app, self._service)
            # Others may have looked meanwhile, and connected.
            self._endpoints = {address: self._endpoints.get(address) or one for address, one in known.items()}
            self._fresh_until, self._seen = time.monotonic() + _rt.FRESH, seen
        return self._endpoints
