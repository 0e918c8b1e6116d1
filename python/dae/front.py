"""What stands before the app in a container's web processes, where no gateway does: static files, the name of the release on every
answer, and the answer to whether this pod is ready, which it is when it is of the release that is asked for and has passed
the selftest.
"""

import io
import json
import os
import signal
import sys

from dae.files import Rules

READY = "/_dae/ready/"


def around(app, config):
    front = Front(config)
    return Asgi(app, front) if config["worker"] == "asgi" else Wsgi(app, front)


class Front:
    def __init__(self, config):
        withheld = json.loads(os.environ.get("DAE_WITHHELD", "[]"))
        self.rules = Rules(config["manifest"]["handlers"], config["root"], os.environ["DAE_PERMDIR"], withheld)
        self.probes = config["manifest"].get("selftest", [])
        self.host = os.environ.get("DAE_HOST", "localhost")
        self.release = os.environ.get("DAE_RELEASE", "")
        self.tested = not self.probes

    def about_release(self, path):
        """An answer that is due before any test, or None."""
        wanted = path[len(READY) :]
        if wanted != self.release:
            return 503, f"this is {self.release or 'no release'}, not {wanted}\n"
        return (200, "ready\n") if self.tested else None

    def judge(self, found):
        """The outcome of the probes: [(probe, status, body)]."""
        wrong = [(probe, status, body) for probe, status, body in found if status != probe["status"]]
        for probe, status, body in wrong:
            sys.stderr.write(
                f"dae: the selftest of {probe['url']} was answered with {status}; app.yaml wants {probe['status']}\n"
            )
            for line in body.decode("utf-8", "replace").splitlines()[:20]:
                sys.stderr.write(f"    {line}\n")
        sys.stderr.flush()
        if wrong:
            # It will not become another app by waiting.
            os.kill(os.getppid(), signal.SIGTERM)
            return 503, "the selftest failed\n"
        self.tested = True
        return 200, "ready\n"


class Wsgi:
    def __init__(self, app, front):
        self.app = app
        self.front = front

    def __call__(self, environ, start_response):
        front = self.front
        path = (environ.get("PATH_INFO") or "/").encode("latin-1").decode("utf-8", "replace")
        if path.startswith(READY):
            status, text = front.about_release(path) or front.judge([self.ask(probe) for probe in front.probes])
            body = text.encode()
            start_response(
                "200 OK" if status == 200 else "503 Service Unavailable",
                [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
            )
            return [body]

        def start(status, headers, *more):
            if front.release:
                headers = [*headers, ("X-Dae-Release", front.release)]
            return start_response(status, headers, *more)

        method = environ["REQUEST_METHOD"]
        wanted = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        answer = front.rules.answer(method, path, wanted)
        if answer is None:
            return self.app(environ, start)
        start(answer.status, answer.headers)
        return answer.chunks(method)

    def ask(self, probe):
        path, _, query = probe["url"].partition("?")
        heard = {}

        def start(status, headers, exc_info=None):
            heard["status"] = int(status.split(" ")[0])
            return lambda data: None

        from urllib.parse import unquote_to_bytes

        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.front.host,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": self.front.host,
            "HTTP_USER_AGENT": "dae",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        try:
            body = self(environ, start)
            try:
                text = b"".join(body)[:4000]
            finally:
                getattr(body, "close", lambda: None)()
        except Exception:
            import traceback

            return probe, 500, traceback.format_exc().encode()
        return probe, heard.get("status", 500), text


class Asgi:
    def __init__(self, app, front):
        self.app = app
        self.front = front

    async def __call__(self, scope, receive, send):
        front = self.front
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope.get("path") or "/"
        if path.startswith(READY):
            status, text = front.about_release(path) or front.judge([await self.ask(probe) for probe in front.probes])
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            return await send({"type": "http.response.body", "body": text.encode()})

        async def named(message):
            if message["type"] == "http.response.start" and front.release:
                headers = [*message.get("headers", ()), (b"x-dae-release", front.release.encode())]
                message = {**message, "headers": headers}
            await send(message)

        wanted = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        answer = front.rules.answer(scope["method"], path, wanted)
        if answer is None:
            return await self.app(scope, receive, named)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        await named({"type": "http.response.start", "status": int(answer.status.split(" ")[0]), "headers": headers})
        for chunk in answer.chunks(scope["method"]):
            await named({"type": "http.response.body", "body": chunk, "more_body": True})
        await named({"type": "http.response.body", "body": b""})

    async def ask(self, probe):
        path, _, query = probe["url"].partition("?")
        from urllib.parse import unquote

        heard = {"status": 500, "body": b""}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", self.front.host.encode()), (b"user-agent", b"dae")],
            "client": ("127.0.0.1", 0),
            "server": (self.front.host, 80),
        }
        asked = []

        async def receive():
            if asked:
                return {"type": "http.disconnect"}
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                heard["status"] = message["status"]
            elif message["type"] == "http.response.body" and len(heard["body"]) < 4000:
                heard["body"] += message.get("body", b"")

        try:
            await self(scope, receive, send)
        except Exception:
            import traceback

            return probe, 500, traceback.format_exc().encode()
        return probe, heard["status"], heard["body"]
