"""What travels along with a call: by when an answer is of use, and the id of the request that it is made for.

It stands at the very end of the arguments as a field with the number 32767, which servers that do not know it pass over, as
they do with every field they do not know.
"""

import contextvars
import json
import time

MARK = b"dae1"
_deadline = contextvars.ContextVar("dae.deadline", default=None)
_request = contextvars.ContextVar("dae.request", default=None)


def deadline():
    """Seconds left for the call that is being answered; None where its caller set no time."""
    until = _deadline.get()
    return None if until is None else until - time.monotonic()


def outer():
    """The id of the web request that is being answered; `dae.request` knows it, where there is one."""
    return None


def request_id():
    """The id of the request that the call is made for; None where there is none."""
    return _request.get() or outer()


class within:
    """``with within(0.5):`` the calls inside tell that their answers are of no use later."""

    def __init__(self, seconds=None, request_id=None):
        self.seconds, self.request = seconds, request_id

    def __enter__(self):
        until = _deadline.get()
        if self.seconds is not None:
            mine = time.monotonic() + self.seconds
            until = mine if until is None else min(until, mine)
        self.tokens = _deadline.set(until), _request.set(self.request or request_id())
        return self

    def __exit__(self, *_):
        _deadline.reset(self.tokens[0])
        _request.reset(self.tokens[1])


def trailer():
    """The end of the arguments of a call, in the binary protocol; empty where there is nothing to tell."""
    until, request = _deadline.get(), request_id()
    if until is None and request is None:
        return b""
    told = {}
    if until is not None:
        told["ms"] = max(0, int((until - time.monotonic()) * 1000))
    if request is not None:
        told["request"] = request
    data = json.dumps(told).encode()
    data += len(data).to_bytes(2, "big") + MARK
    return b"\x0b\x7f\xff" + len(data).to_bytes(4, "big") + data + b"\0"


def heard(message):
    """Notes what came along with a call; `forget` takes it back."""
    if not message.framed:
        return None
    frame = message.source.cstringio_buf.getbuffer()
    if frame[-5:] != MARK + b"\0":
        return None
    length = int.from_bytes(frame[-7:-5], "big")
    try:
        told = json.loads(bytes(frame[-7 - length : -7]))
        until = time.monotonic() + told["ms"] / 1000 if "ms" in told else None
        return _deadline.set(until), _request.set(str(told["request"]) if "request" in told else None)
    except (ValueError, TypeError, AttributeError):
        return None


def forget(token):
    if token:
        _deadline.reset(token[0])
        _request.reset(token[1])
