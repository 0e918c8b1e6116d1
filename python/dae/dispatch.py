"""From app.yaml's handlers to one WSGI or ASGI application: the first handler whose url matches a whole path answers."""

import importlib
import re

from dae import report, request


def application(config):
    """Imports what the handlers name and joins it into one application."""
    loaded = [Handler(handler) for handler in config["handlers"]]
    report.follow()
    if config["worker"] != "asgi":
        return Wsgi(loaded)
    return Asgi(loaded)


class Handler:
    def __init__(self, handler):
        self.pattern = re.compile(handler["url"])
        self.kind = handler["kind"]
        # Files are the gateway's business.
        self.target = load(handler["target"]) if handler["target"] else None


def first(handlers, path):
    for handler in handlers:
        if handler.pattern.fullmatch(path):
            return handler
    return None


def load(target):
    """The callable that ``module:callable`` names."""
    module, _, name = target.partition(":")
    value = importlib.import_module(module)
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise AttributeError(
                f"app.yaml names `{target}`, and module `{module}` has no `{name}`"
            ) from None
    if not callable(value):
        raise TypeError(f"app.yaml names `{target}`, and that is {type(value).__name__}, nothing that can be called")
    return value


class Wsgi:
    """Gives a request to the first handler whose pattern matches its path."""

    def __init__(self, handlers):
        self.handlers = handlers

    def __call__(self, environ, start_response):
        # Behind a unix socket the server does not know the client; the gateway writes it last.
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        if forwarded:
            environ["REMOTE_ADDR"] = forwarded.rpartition(",")[2].strip()
        # WSGI has the bytes of a path as Latin-1.
        path = (environ.get("PATH_INFO") or "/").encode("latin-1").decode("utf-8", "replace")
        handler = first(self.handlers, path)
        if handler is None or handler.kind == "static_files":
            return answer(start_response, "404 Not Found")
        if handler.kind == "websocket":
            if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
                return answer(start_response, "426 Upgrade Required", ("Upgrade", "websocket"), ("Connection", "Upgrade"))
            from dae import websocket

            return request.answer(lambda environ, _: websocket.wsgi(handler.target, environ), environ, start_response)
        return request.answer(handler.target, environ, start_response)


def answer(start_response, status, *headers):
    body = status.partition(" ")[2].encode() + b"\n"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


class Asgi:
    """The same for ASGI. Start-up and shutdown go to the first application only."""

    def __init__(self, handlers):
        self.handlers = handlers
        self.apps = [handler.target for handler in handlers if handler.kind == "asgi_app"]

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await (self.apps[0] if self.apps else no_lifespan)(scope, receive, send)
        handler = first(self.handlers, scope.get("path") or "/")
        if handler is not None and handler.kind == "asgi_app":
            return await request.answer_async(handler.target, scope, receive, send)
        if scope["type"] == "websocket":
            if handler is not None and handler.kind == "websocket":
                from dae import websocket

                def target(scope, receive, send):
                    return websocket.asgi(handler.target, scope, receive, send)

                return await request.answer_async(target, scope, receive, send)
            return await send({"type": "websocket.close", "code": 1000})
        upgrade = handler is not None and handler.kind == "websocket"
        status, body = (426, b"Upgrade Required\n") if upgrade else (404, b"Not Found\n")
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        if upgrade:
            headers.append((b"upgrade", b"websocket"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def no_lifespan(scope, receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
