"""The app's memcache: a client, ``mc``, and decorators that keep what functions return.

::

    from dae.api.memcache import cache, mc

    mc.set("greeting", "hello", 60)

    @cache("user:{id}", expire=3600)
    def get_user(id):
        ...

The servers are those that ``DAE_MEMCACHE`` names, ``host:port`` with commas between. Values are written as libmc writes them; an
app that has libmc, pylibmc or pymemcache among its packages can as well give them ``servers()``.

Keys of the decorators: ``'user:%s'`` takes the arguments in order, ``'user:%(id)s'`` and ``'user:{id}'`` by name, ``'{user.id}'``
an attribute, and a function is called with those of the arguments that it names. A key that is empty or None is not cached.
Blanks become ``_``. Each decorated function takes ``force=True``, which asks the function itself, and has it as
``original_function``.
"""

import inspect
import math
import os
import re
import struct
import time
from functools import wraps
from warnings import warn

from dae.mc_client import Client

__all__ = [
    "Client", "Empty", "cache", "cache_in_obj", "create_decorators", "delete_cache", "listcache", "mc", "pcache", "pcache2",
    "servers",
]

# A list near this size may have been kept in pieces, and nothing can be appended to those.
_PIECE = 1000000 - 1000
# While another one computes a value, it is looked for this often.
_PAUSE = 0.1


class Empty:
    """What a function returns to have None kept for it."""


def servers():
    """The app's memcached servers, as ``host:port``."""
    found = [name.strip() for name in os.environ.get("DAE_MEMCACHE", "").split(",") if name.strip()]
    if not found:
        raise RuntimeError("no memcache: DAE_MEMCACHE is not set; start the app by `dae serve`, or type `dae run -- python ...`")
    return found


# Several apps may share the servers: each has its own keys.
mc = Client(servers, prefix=os.environ.get("DAE_MEMCACHE_PREFIX"))


_PERCENT = re.compile(r"%(?:%|\((\w+)\))?")
_FIELD = re.compile(r"\{[\w.\[\]]+\}")


def _formatter(pattern):
    """A function of the arguments in order, and by name."""
    if callable(pattern):
        names = list(inspect.signature(pattern).parameters)
        return lambda args, named: pattern(*[named[name] for name in names])
    if "%(" in pattern:
        return lambda args, named: pattern % named
    if _FIELD.search(pattern):
        return lambda args, named: pattern.format(**named)
    count = sum(1 for found in _PERCENT.finditer(pattern) if found.group() == "%")
    return lambda args, named: pattern % tuple(args[:count])


def _keys(pattern, function):
    """A function that gives the key of a call, and its arguments by name."""
    names, defaults = [], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError("a function with *args or **kwargs cannot be cached: its key would not be certain")
        names.append(parameter.name)
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    formatted = _formatter(pattern)

    def key(args, kwargs):
        named = dict(defaults)
        named.update(zip(names, args))
        named.update(kwargs)
        missing = [name for name in names if name not in named]
        if missing:
            # As Python says it.
            function(*args, **kwargs)
        found = formatted([named[name] for name in names], named)
        return found and found.replace(" ", "_"), named

    return key


def _single(client, key, compute, expire, max_retry, force):
    """The value of `key`, computed by one caller while the others wait for it, a tenth of a second `max_retry` times."""
    value = None if force else client.get(key)
    if value is not None:
        return value
    mutex = key + "#mutex"
    mine = False
    for _ in range(0 if force else max_retry):
        mine = client.add(mutex, 1, max(1, math.ceil(max_retry * _PAUSE)))
        if mine:
            break
        time.sleep(_PAUSE)
        value = client.get(key)
        if value is not None:
            return value
    try:
        if mine:
            # Whoever had it until now has left the value.
            value = client.get(key)
            if value is not None:
                return value
        value = compute()
        if value is not None:
            client.set(key, value, expire)
        return value
    finally:
        if mine:
            client.delete(mutex)


def create_decorators(mc):
    """The decorators of this module for another client, by name."""

    def cache(key_pattern, expire=0, mc=mc, max_retry=0):
        """Keeps what the function returns, unless that is None."""

        def decorate(function):
            key_of = _keys(key_pattern, function)

            @wraps(function)
            def cached(*args, **kwargs):
                force = kwargs.pop("force", False)
                key, _ = key_of(args, kwargs)
                if not key:
                    return function(*args, **kwargs)
                value = _single(mc, key, lambda: function(*args, **kwargs), expire, max_retry, force)
                return None if isinstance(value, Empty) else value

            cached.original_function = function
            return cached

        return decorate

    def _paged(key_pattern, count, function):
        key_of = _keys(key_pattern, function)
        if "limit" not in inspect.signature(function).parameters:
            raise TypeError("the function must have an argument `limit`")

        def page(args, kwargs):
            """The key, or None where the page is not within what is kept; its place; the other arguments."""
            key, named = key_of(args, kwargs)
            start, limit = named.pop("start", 0), named.pop("limit")
            if not key or limit is None or int(start) + int(limit) > count:
                return None, 0, 0, named
            return key, int(start), int(limit), named

        return page

    def pcache(key_pattern, count=300, expire=0, max_retry=0):
        """Keeps the first `count` of a list; the function has arguments `limit`, and `start` if it likes."""

        def decorate(function):
            page = _paged(key_pattern, count, function)

            @wraps(function)
            def cached(*args, **kwargs):
                force = kwargs.pop("force", False)
                key, start, limit, named = page(args, kwargs)
                if key is None:
                    return function(*args, **kwargs)
                rows = _single(mc, key, lambda: function(limit=count, **named), expire, max_retry, force)
                return rows if rows is None else rows[start : start + limit]

            cached.original_function = function
            return cached

        return decorate

    def pcache2(key_pattern, count=300, expire=0):
        """As pcache, for a function that returns how many there are in all, and the list."""

        def decorate(function):
            page = _paged(key_pattern, count, function)

            @wraps(function)
            def cached(*args, **kwargs):
                force = kwargs.pop("force", False)
                key, start, limit, named = page(args, kwargs)
                if key is None:
                    return function(*args, **kwargs)
                total, rows = _single(mc, key, lambda: tuple(function(limit=count, **named)), expire, 0, force)
                return total, rows[start : start + limit]

            cached.original_function = function
            return cached

        return decorate

    def listcache(key_pattern, expire=0, fmt="I"):
        """Keeps a list of numbers packed by `struct`, to which `mc.append` and `mc.prepend` can add."""

        def decorate(function):
            key_of = _keys(key_pattern, function)
            size = struct.calcsize(fmt)

            @wraps(function)
            def cached(*args, **kwargs):
                force = kwargs.pop("force", False)
                key, _ = key_of(args, kwargs)
                if not key:
                    return function(*args, **kwargs)
                packed = None if force else mc.get(key)
                if isinstance(packed, bytes) and len(packed) <= _PIECE and len(packed) % size == 0:
                    return list(struct.unpack(fmt * (len(packed) // size), packed))
                numbers = function(*args, **kwargs)
                if isinstance(numbers, (list, tuple)):
                    mc.set(key, struct.pack(fmt * len(numbers), *numbers), expire, compress=False)
                else:
                    warn("%s (%s) should return a list or a tuple" % (function.__name__, key), stacklevel=2)
                return numbers

            cached.original_function = function
            return cached

        return decorate

    def cache_in_obj(key, expire=0):
        """For a method of an object that is itself kept under ``key % obj.id``: its result is kept in the object."""

        def decorate(function):
            name = "_cached_" + function.__name__

            @wraps(function)
            def cached(obj, *args, **kwargs):
                force = kwargs.pop("force", False)
                value = None if force else getattr(obj, name, None)
                if value is None:
                    value = function(obj, *args, **kwargs)
                    if value is not None:
                        setattr(obj, name, value)
                        mc.set(key % obj.id, obj, expire)
                return value

            cached.original_function = function
            return cached

        return decorate

    def delete_cache(key_pattern):
        """Lets the key go once the function has returned."""

        def decorate(function):
            key_of = _keys(key_pattern, function)

            @wraps(function)
            def deleting(*args, **kwargs):
                key, _ = key_of(args, kwargs)
                value = function(*args, **kwargs)
                if key:
                    mc.delete(key)
                return value

            deleting.original_function = function
            return deleting

        return decorate

    return {
        "cache": cache,
        "pcache": pcache,
        "pcache2": pcache2,
        "listcache": listcache,
        "cache_in_obj": cache_in_obj,
        "delete_cache": delete_cache,
    }


_decorators = create_decorators(mc)
cache = _decorators["cache"]
pcache = _decorators["pcache"]
pcache2 = _decorators["pcache2"]
listcache = _decorators["listcache"]
cache_in_obj = _decorators["cache_in_obj"]
delete_cache = _decorators["delete_cache"]
