"""``dae service call``: one call, with its arguments as JSON or as Python writes them.

Run as a module with one JSON value in ``DAE_CALL``: ``{"app", "service", "methods", "method", "args": [text]}``. An argument is
given in its place or by its name, `uid=1`. Prints one JSON value: ``{"returned": ...}`` or ``{"raised": name, "message": ...}``.
"""

import ast
import base64
import enum
import importlib
import json
import os
import sys
import uuid


class Wrong(Exception):
    """An argument that is none."""


def main():
    told = json.loads(os.environ.pop("DAE_CALL"))
    sys.path.insert(0, os.getcwd())
    from thrift.Thrift import TApplicationException

    from dae.api import service

    module = importlib.import_module(told["methods"])
    method = module.METHODS[told["method"]]
    try:
        args = arguments(method, told["args"])
        client = service.client(told["app"], module, told["service"], retries=1, read_timeout=30.0)
        answer = {"returned": plain(getattr(client, told["method"])(**args))}
    except Wrong as error:
        answer = {"wrong": str(error)}
    except TApplicationException as error:
        answer = {"failed": str(error)}
    except Exception as error:
        fields = getattr(error, "__slots__", None)
        kind = type(error).__name__
        answer = {"raised": kind, "fields": plain(error)} if fields is not None else {"failed": f"{kind}: {error}"}
    print(json.dumps(answer, ensure_ascii=False))


def arguments(method, texts):
    specs = {field[2]: field for field in method.args.thrift_spec if field}
    names = [name for name in method.args.__slots__]
    given = {}
    for place, text in enumerate(texts):
        name, equals, rest = text.partition("=")
        if equals and name in specs:
            text = rest
        elif place < len(names):
            name = names[place]
        else:
            raise Wrong(f"{method.name} takes {len(names)} arguments, and {len(texts)} are given")
        if name in given:
            raise Wrong(f"{name} is given twice")
        given[name] = typed(literal(text), specs[name][1], specs[name][3], name)
    lacks = [name for name in names if name not in given and getattr(method.args(), name) is None]
    if lacks:
        raise Wrong(f"{method.name} wants {', '.join(names)}: {', '.join(lacks)} is missing")
    return given


def literal(text):
    """JSON, else Python, else the text itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    return text


def typed(value, kind, inner, name):
    """A plain value as what its type says."""

    def wrong(what):
        return Wrong(f"{name}: {value!r} is no {what}")

    if value is None:
        return None
    if kind == 12:
        if not isinstance(value, dict):
            raise wrong(f"{inner[0].__name__}: write its fields, as in {{\"{(inner[0].__slots__ or ('',))[0]}\": ...}}")
        specs = {field[2]: field for field in inner[0].thrift_spec if field}
        for key in value:
            if key not in specs:
                raise Wrong(f"{name}: {inner[0].__name__} has no {key!r}; it has {', '.join(specs)}")
        return inner[0](**{key: typed(one, specs[key][1], specs[key][3], f"{name}.{key}") for key, one in value.items()})
    if kind in (14, 15):
        if not isinstance(value, (list, tuple, set)):
            raise wrong("list")
        made = [typed(one, inner[0], inner[1], name) for one in value]
        return set(made) if kind == 14 else made
    if kind == 13:
        if not isinstance(value, dict):
            raise wrong("map")
        return {
            typed(key, inner[0], inner[1], name): typed(one, inner[2], inner[3], name) for key, one in value.items()
        }
    if kind == 11:
        if inner == "BINARY":
            return value if isinstance(value, bytes) else str(value).encode()
        return value if isinstance(value, str) else json.dumps(value)
    if kind == 2:
        if value in (True, False):
            return bool(value)
        raise wrong("true or false")
    if kind == 16:
        try:
            return uuid.UUID(str(value))
        except ValueError:
            raise wrong("uuid") from None
    try:
        if kind == 4:
            return float(value)
        if isinstance(value, float) and value != int(value):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError):
        raise wrong("number") from None
    bits = {3: 8, 6: 16, 8: 32, 10: 64}[kind]
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise wrong(f"number of {bits} bits")
    return number


def plain(value):
    """As JSON has it."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        keys = {key if isinstance(key, str) else json.dumps(plain(key), default=str): one for key, one in value.items()}
        return {key: plain(one) for key, one in keys.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    if hasattr(value, "thrift_spec"):
        return {name: plain(getattr(value, name)) for name in value.__slots__ if getattr(value, name) is not None}
    return value


if __name__ == "__main__":
    main()
