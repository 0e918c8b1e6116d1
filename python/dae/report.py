"""Uncaught exceptions of an app that does not report them itself go to `SENTRY_DSN`, in Sentry's old plain form.

An app that has set up sentry-sdk or raven is left to it. No local variables and no bodies are sent.
"""

import functools
import json
import linecache
import os
import sys
import time
import traceback
import uuid

MARK = "_dae_reported"
# How long an exception may keep its request, in seconds.
TIMEOUT = 2
CONTEXT = 4
HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def exception(error, process=None):
    """Reports `error`, once, and never fails."""
    try:
        dsn = os.environ.get("SENTRY_DSN")
        if not dsn or getattr(error, MARK, False) or reports_itself():
            return
        try:
            setattr(error, MARK, True)
        except AttributeError:
            # One with slots may be told twice.
            pass
        send(dsn, event(error, process))
    except Exception as failure:
        print("dae: an error could not be reported: %r" % failure, file=sys.stderr)


def reports_itself():
    """Whether the app has a client of Sentry's, set up."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None:
        if hasattr(sentry, "get_client"):
            if sentry.get_client().is_active():
                return True
        elif sentry.Hub.current.client is not None:
            return True
    raven = sys.modules.get("raven.base")
    return raven is not None and getattr(raven, "Raven", None) is not None


def event(error, process):
    root = os.environ.get("DAE_APPROOT", "")
    chain, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    told = {
        "event_id": uuid.uuid4().hex,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "platform": "python",
        "level": "error",
        "sdk": {"name": "dae", "version": "1"},
        "exception": {"values": [value(part, root) for part in reversed(chain[:20])]},
        "tags": {"process": process or "web"},
    }
    if os.environ.get("DAE_RELEASE"):
        told["release"] = os.environ["DAE_RELEASE"]
    from dae import request

    asked = request.current.get()
    if asked:
        told["request"] = {"url": asked["url"], "method": asked["method"]}
    return told


def value(error, root):
    frames = [frame(*part, root) for part in traceback.walk_tb(error.__traceback__)]
    # What called the app is no part of its story.
    own = [part for part in frames if not part["abs_path"].startswith(HERE)]
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "value": str(error)[:8192],
        "stacktrace": {"frames": (own or frames)[-100:]},
    }


def frame(frame, line, root):
    path = os.path.abspath(frame.f_code.co_filename)
    inside = bool(root) and path.startswith(root + os.sep)
    own = inside and not path.startswith(os.path.join(root, "venv") + os.sep)
    get = functools.partial(linecache.getline, path, module_globals=frame.f_globals)
    lines = {number: get(number).rstrip("\n")[:400] for number in range(max(1, line - CONTEXT), line + CONTEXT + 1)}
    return {
        "filename": os.path.relpath(path, root) if inside else short(path),
        "abs_path": path,
        "function": frame.f_code.co_name,
        "lineno": line,
        "in_app": own,
        "context_line": lines[line],
        "pre_context": [lines[number] for number in lines if number < line],
        "post_context": [lines[number] for number in lines if number > line],
    }


def short(path):
    """A file of a package, as it is imported."""
    for entry in sorted(sys.path, key=len, reverse=True):
        if entry and path.startswith(os.path.join(entry, "")):
            return os.path.relpath(path, entry)
    return path


def send(dsn, told):
    """Past every proxy, and past whatever an app may have done to urllib."""
    import http.client
    from urllib.parse import urlsplit

    where = urlsplit(dsn)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname, where.port, timeout=TIMEOUT)
    try:
        path, _, project = where.path.rpartition("/")
        auth = "Sentry sentry_version=7, sentry_client=dae/1, sentry_key=" + (where.username or "")
        headers = {"Content-Type": "application/json", "X-Sentry-Auth": auth}
        body = json.dumps(told, default=repr).encode("utf-8", "replace")
        connection.request("POST", "%s/api/%s/store/" % (path, project), body, headers)
        connection.getresponse().read()
    finally:
        connection.close()


def hold_fast(process):
    """From now on what ends this process or a thread of it by an exception is reported."""
    import threading

    before, before_thread = sys.excepthook, threading.excepthook

    def hook(kind, error, tb):
        if isinstance(error, Exception):
            exception(error, process)
        before(kind, error, tb)

    def thread_hook(args):
        if isinstance(args.exc_value, Exception):
            exception(args.exc_value, process)
        before_thread(args)

    sys.excepthook, threading.excepthook = hook, thread_hook


def follow():
    """Hears of exceptions that a web framework catches itself. To be called when the app is imported."""
    import logging

    if getattr(logging.Logger.callHandlers, MARK, False):
        return
    handle = logging.Logger.callHandlers

    @functools.wraps(handle)
    def heard(self, record):
        # Flask, Django, Tornado, asyncio, gunicorn: all of them log what nobody caught.
        if record.levelno >= logging.ERROR and record.exc_info:
            error = record.exc_info[1] if isinstance(record.exc_info, tuple) else sys.exc_info()[1]
            if isinstance(error, Exception):
                exception(error)
        return handle(self, record)

    setattr(heard, MARK, True)
    logging.Logger.callHandlers = heard
    for module, patch in (("web.application", webpy), ("bottle", bottle)):
        if module in sys.modules:
            patch(sys.modules[module])


def webpy(module):
    """It prints the traceback and answers; its debug page as well."""
    internalerror = module.application.internalerror

    @functools.wraps(internalerror)
    def heard(self):
        error = sys.exc_info()[1]
        if isinstance(error, Exception):
            exception(error)
        return internalerror(self)

    module.application.internalerror = heard


def bottle(module):
    """It puts what nobody caught into an error of its own."""
    init = module.HTTPError.__init__

    @functools.wraps(init)
    def heard(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if isinstance(getattr(self, "exception", None), Exception) and self.status_code >= 500:
            exception(self.exception)

    module.HTTPError.__init__ = heard
