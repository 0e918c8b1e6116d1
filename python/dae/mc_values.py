"""How Python values stand in memcached and beansdb: the flags of libmc, so that either client reads what the other wrote."""

import marshal
import pickle
import zlib

PICKLE = 1
INTEGER = 2
LONG = 4
BOOL = 8
COMPRESSED = 16
MARSHAL = 32
# The value is kept in pieces under keys of their own; what stands here is their number.
CHUNKED = 4096

# A larger value is kept in pieces.
CHUNK = 1000000


def encode(value, compress_from=0):
    """`value` as bytes and flags; bytes are compressed from a length on, 0 for never."""
    flags = 0
    kind = type(value)
    if kind is bytes:
        data = value
    elif kind is bool:
        return (b"1" if value else b"0"), BOOL
    elif kind is int:
        # Never compressed: the server counts in it.
        return str(value).encode(), LONG
    else:
        try:
            data, flags = marshal.dumps(value, 2), MARSHAL
        except ValueError:
            data, flags = pickle.dumps(value, 2), PICKLE
    if compress_from and len(data) > compress_from:
        data, flags = zlib.compress(data), flags | COMPRESSED
    return data, flags


def decode(data, flags):
    """The value; None where it was written by something that this cannot read."""
    try:
        if flags & COMPRESSED:
            data = zlib.decompress(data)
        if flags & BOOL:
            return bool(int(data))
        if flags & (INTEGER | LONG):
            return int(data)
        if flags & MARSHAL:
            return marshal.loads(data)
        if flags & PICKLE:
            return pickle.loads(data)
    except (ValueError, EOFError, TypeError, zlib.error, pickle.UnpicklingError, AttributeError, ImportError, IndexError):
        return None
    return data


def piece_key(key, index):
    """The key of one piece of a chunked value."""
    return b"~%d%s/%d" % (len(key), key, index)
