"""The request that is being answered: known to whatever runs on its behalf, in its thread, its greenlet or its task."""

import contextvars
import errno
import os
import re
import sys
import traceback

from dae import report
from dae.thrift import about

# {"url": ..., "method": ..., "identity": the gateway's word on who asks, or None, "id": ...}; None outside a request.
current = contextvars.ContextVar("dae_request", default=None)

# Whoever asked is there no more.
GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)


def of_wsgi(environ):
    host = environ.get("HTTP_X_FORWARDED_HOST") or environ.get("HTTP_HOST") or "localhost"
    scheme = environ.get("HTTP_X_FORWARDED_PROTO") or "http"
    path = (environ.get("PATH_INFO") or "/").encode("latin-1").decode("utf-8", "replace")
    return {
        "url": "%s://%s%s" % (scheme, host, path),
        "method": environ.get("REQUEST_METHOD", "GET"),
        "identity": environ.get("HTTP_X_DAE_USER"),
        "id": id_of(environ.get("HTTP_X_REQUEST_ID")),
    }


def of_asgi(scope):
    headers = {name.lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
    host = headers.get(b"x-forwarded-host") or headers.get(b"host") or "localhost"
    scheme = headers.get(b"x-forwarded-proto") or "http"
    return {
        "url": "%s://%s%s" % (scheme, host, scope.get("path") or "/"),
        "method": scope.get("method", "GET"),
        "identity": headers.get(b"x-dae-user"),
        "id": id_of(headers.get(b"x-request-id")),
    }


def id_of(given):
    """What the client or a server before this one calls the request, else a name of its own."""
    return given if given and re.fullmatch(r"[!-~]{1,100}", given) else os.urandom(8).hex()


# What is asked of services on behalf of a request tells which one it is.
about.outer = lambda: (current.get() or {}).get("id")


def answer(target, environ, start_response):
    """What the WSGI application `target` answers; it is the request's until the last byte."""
    asked = of_wsgi(environ)
    current.set(asked)
    body = None
    try:
        result = target(environ, start_response)
        wrapper = environ.get("wsgi.file_wrapper")
        if not isinstance(result, (list, tuple)) and not (isinstance(wrapper, type) and isinstance(result, wrapper)):
            body = Body(result, asked)
        return body or result
    except StopIteration:
        # What gunicorn takes for: the connection is used up.
        raise
    except OSError as error:
        report.exception(error)
        if error.errno in GONE:
            raise
        # gunicorn would take it for one of its own connection's, and hang up without an answer.
        return failed(environ, start_response)
    except Exception as error:
        report.exception(error)
        raise
    finally:
        if body is None:
            current.set(None)


def failed(environ, start_response):
    """The answer of an application that raised what is being handled; where its own had begun, that is raised again."""
    traceback.print_exc(file=environ["wsgi.errors"])
    start_response("500 Internal Server Error", [("Content-Type", "text/html")], sys.exc_info())
    return [b"<html><head><title>Internal Server Error</title></head><body><h1>Internal Server Error</h1></body></html>"]


class Body:
    """An answer that is made while it is sent."""

    def __init__(self, result, asked):
        self.result = result
        self.pieces = None
        self.asked = asked

    def __iter__(self):
        return self

    def __next__(self):
        current.set(self.asked)
        try:
            if self.pieces is None:
                self.pieces = iter(self.result)
            return next(self.pieces)
        except StopIteration:
            raise
        except Exception as error:
            report.exception(error)
            raise

    def close(self):
        try:
            if hasattr(self.result, "close"):
                self.result.close()
        finally:
            current.set(None)


async def answer_async(target, scope, receive, send):
    """The same for ASGI."""
    token = current.set(of_asgi(scope))
    try:
        return await target(scope, receive, send)
    except Exception as error:
        import asyncio

        # Others are answered meanwhile.
        context = contextvars.copy_context()
        await asyncio.get_running_loop().run_in_executor(None, context.run, report.exception, error)
        raise
    finally:
        current.reset(token)
