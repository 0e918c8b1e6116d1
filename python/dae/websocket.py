"""``websocket: module:callable`` of app.yaml: the callable gets one object to talk through.

In a worker `async` or `sync` it is a ``simple_websocket.Server``: ``receive(timeout=None)``, ``send(data)``, ``close()``.
In a worker `asgi` the callable is ``async`` and so are these methods. When it returns, the connection is closed; when the
other side has gone, `receive` and `send` raise ``ConnectionClosed``, which a handler need not catch.
"""


def wsgi(handler, environ):
    from simple_websocket import ConnectionClosed, Server

    environ["gunicorn.socket"] = Whole(environ["gunicorn.socket"])
    ws = Server(environ, ping_interval=25)
    try:
        handler(ws)
    except ConnectionClosed:
        pass
    except BaseException:
        close(ws, 1011)
        raise
    else:
        close(ws, 1000)
    # What gunicorn takes for: the connection is used up.
    raise StopIteration


def close(ws, code):
    from simple_websocket import ConnectionClosed

    try:
        ws.close(code)
    except (ConnectionClosed, OSError):
        pass


class Whole:
    """A socket whose `send` sends all: simple_websocket counts on it."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, data):
        self.sock.sendall(data)
        return len(data)

    def __getattr__(self, name):
        return getattr(self.sock, name)


class ConnectionClosed(Exception):
    """The other side has gone."""

    def __init__(self, code=1005, reason=""):
        super().__init__(f"connection closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class WebSocket:
    """What an `async` handler talks through."""

    def __init__(self, scope, receive, send):
        self.scope = scope
        self._receive = receive
        self._send = send
        self.connected = True

    async def receive(self):
        """The next message: text is ``str``, anything else ``bytes``."""
        if not self.connected:
            raise ConnectionClosed
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.connected = False
            raise ConnectionClosed(message.get("code", 1005), message.get("reason") or "")
        text = message.get("text")
        return message["bytes"] if text is None else text

    async def send(self, data):
        if not self.connected:
            raise ConnectionClosed
        key = "bytes" if isinstance(data, (bytes, bytearray, memoryview)) else "text"
        await self._send({"type": "websocket.send", key: bytes(data) if key == "bytes" else str(data)})

    async def close(self, code=1000, reason=""):
        if self.connected:
            self.connected = False
            await self._send({"type": "websocket.close", "code": code, "reason": reason})


async def asgi(handler, scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    ws = WebSocket(scope, receive, send)
    try:
        await handler(ws)
    except ConnectionClosed:
        return
    except BaseException:
        await ws.close(1011)
        raise
    await ws.close()
