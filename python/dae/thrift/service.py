"""One service: from a message to its answer by the app's handler."""

import importlib
import inspect
import sys
import threading
import traceback

from thrift.Thrift import TApplicationException

from dae.thrift import about, wire


class Unfit(Exception):
    """The handler cannot serve what the interface promises."""


class Error:
    """What a server says when it is not the app's code that answers."""

    __slots__ = ("message", "type")
    thrift_spec = (None, (1, 11, "message", "UTF8", None), (2, 8, "type", None, None))

    def __init__(self, type=TApplicationException.UNKNOWN, message=""):
        self.type, self.message = type, message


Error.thrift_kind = [Error, Error.thrift_spec]


class Nothing:
    __slots__ = ()
    thrift_spec = ()


Nothing.thrift_kind = [Nothing, ()]


class Service:
    def __init__(self, name, methods, handler, tells_why):
        self.name, self.tells_why = name, tells_why
        handler = handler() if inspect.isclass(handler) else handler
        lacks = [one for one in methods if not callable(getattr(handler, one, None))]
        if lacks:
            what = f"{type(handler).__module__}.{type(handler).__qualname__}"
            raise Unfit(f"{what} has no {', '.join(lacks)}, and {name} promises it")
        self.methods = {}
        for one, method in methods.items():
            args = [field[2] for field in method.args.thrift_spec if field]
            # In the order of the file, which is that of the slots.
            args = tuple(name for name in method.args.__slots__ if name in args)
            raises = [(field[2], field[3][0]) for field in method.result.thrift_spec if field and field[0]]
            spec = method.result.thrift_spec
            returns = bool(spec and spec[0])
            head = wire.binary_head(wire.REPLY, one.encode())
            self.methods[one.encode()] = (method, getattr(handler, one), args, raises, returns, head)

    def answer(self, message):
        """The bytes to send back; None where nobody waits for any."""
        found = self.methods.get(message.name)
        if found is None:
            message.arguments(Nothing())
            name = message.name.decode("utf-8", "replace")
            return self.error(message, TApplicationException.UNKNOWN_METHOD, f"{self.name} has no method {name!r}")
        method, function, args, raises, returns, head = found
        if message.kind not in (wire.CALL, wire.ONEWAY):
            message.arguments(Nothing())
            return self.error(message, TApplicationException.INVALID_MESSAGE_TYPE, f"a message of type {message.kind}")
        try:
            given = message.arguments(method.args())
        except (wire.Garbage, OSError):
            raise
        except Exception as error:
            why = f"the arguments of {method.name} cannot be read: {error}"
            if not message.framed:
                raise wire.Garbage(why) from None
            return self.error(message, TApplicationException.PROTOCOL_ERROR, why)
        result = method.result()
        token = about.heard(message)
        try:
            value = function(*[getattr(given, name) for name in args])
            if inspect.iscoroutine(value):
                value = in_loop(value)
            if returns:
                if value is None:
                    why = f"{method.name} returned None"
                    return self.error(message, TApplicationException.MISSING_RESULT, why)
                result.success = value
        except Exception as error:
            for name, kind in raises:
                if isinstance(error, kind):
                    setattr(result, name, error)
                    break
            else:
                return self.failed(message, method, error)
        finally:
            about.forget(token)
        if method.oneway or message.kind == wire.ONEWAY:
            return None
        try:
            return message.answer(wire.REPLY, result, head)
        except Exception as error:
            error = TypeError(f"{method.name} returned what is not of its type: {error}")
            return self.failed(message, method, error)

    def failed(self, message, method, error):
        if about.request_id():
            print(f"{self.name}.{method.name}, for the request {about.request_id()}:", file=sys.stderr)
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        sys.stderr.flush()
        if method.oneway:
            return None
        if isinstance(error, TApplicationException):
            return self.error(message, error.type, error.message or "")
        why = f"{type(error).__name__}: {error}" if self.tells_why else type(error).__name__
        return self.error(message, TApplicationException.INTERNAL_ERROR, f"{self.name}.{method.name} failed: {why}")

    @staticmethod
    def error(message, kind, why):
        if message.kind == wire.ONEWAY:
            return None
        return message.answer(wire.EXCEPTION, Error(kind, why))


_loop = None
_starting = threading.Lock()


def in_loop(coroutine):
    """The outcome of an `async def` method, run in the one event loop of this process."""
    import asyncio

    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="handlers", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result()


def load(config):
    """All services of the app, as they are told by dae."""
    services = []
    for one in config["services"]:
        methods = importlib.import_module(one["methods"]).METHODS
        module, _, name = one["handler"].partition(":")
        handler = importlib.import_module(module)
        for part in name.split("."):
            handler = getattr(handler, part)
        services.append(Service(one["name"], methods, handler, config["environment"] == "SDK"))
    return services
