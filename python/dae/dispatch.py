"""From app.yaml's handlers to one WSGI or ASGI application: the first handler whose url matches a whole path answers."""

import importlib
import re


def application(config):
    """Imports what the handlers name and joins it into one application."""
    handlers = [h for h in config["handlers"] if h["kind"] in ("wsgi_app", "asgi_app")]
    loaded = [(re.compile(h["url"]), load(h["target"])) for h in handlers]
    if config["worker"] == "asgi":
        return loaded[0][1] if len(loaded) == 1 and handlers[0]["url"] == "/.*" else Asgi(loaded)
    return Wsgi(loaded)


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
    """Gives a request to the first application whose pattern matches its path."""

    def __init__(self, loaded):
        self.loaded = loaded

    def __call__(self, environ, start_response):
        # Behind a unix socket the server does not know the client; the gateway writes it last.
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        if forwarded:
            environ["REMOTE_ADDR"] = forwarded.rpartition(",")[2].strip()
        path = environ.get("PATH_INFO") or "/"
        for pattern, app in self.loaded:
            if pattern.fullmatch(path):
                return app(environ, start_response)
        body = b"Not Found\n"
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


class Asgi:
    """The same for ASGI. Start-up and shutdown go to the first application only."""

    def __init__(self, loaded):
        self.loaded = loaded

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.loaded[0][1](scope, receive, send)
        for pattern, app in self.loaded:
            if pattern.fullmatch(scope.get("path") or "/"):
                return await app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1000})
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"Not Found\n"})
