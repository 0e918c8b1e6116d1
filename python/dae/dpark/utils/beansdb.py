"""beansdb's data files: records of a 24-byte header, key and value, each at a multiple of 256 bytes."""

import logging
import marshal
import os
import pickle
import struct
import zlib

log = logging.getLogger("dpark")

PICKLE, INTEGER, LONG, BOOL, ZLIB, MARSHAL, QUICKLZ = 1, 2, 4, 8, 16, 32, 1 << 16
PADDING = 256
# Checksum of all that follows, time, flag, version, size of key and of value.
HEADER = struct.Struct("<IIiiII")
MOST_KEY, MOST_VALUE = 250, 500 << 20


def is_valid_key(key):
    return 0 < len(key) <= MOST_KEY and not any(byte in key for byte in b" \r\n\0")


def as_key(key):
    return key if isinstance(key, bytes) else str(key).encode()


def fnv1a(key):
    hash = 0x811C9DC5
    for byte in key:
        hash = (hash ^ byte) * 0x01000193 & 0xFFFFFFFF
    return hash


def prepare_value(value):
    """(flag, bytes)"""
    if isinstance(value, bytes):
        return 0, value
    if isinstance(value, bool):
        return BOOL, b"%d" % value
    if isinstance(value, int):
        return INTEGER, b"%d" % value
    try:
        return MARSHAL, marshal.dumps(value, 2)
    except ValueError:
        return PICKLE, pickle.dumps(value, 2)


def restore_value(flag, data):
    if flag & QUICKLZ:
        import quicklz

        data = quicklz.decompress(data)
    if flag & ZLIB:
        data = zlib.decompress(data)
    if flag & BOOL:
        return bool(int(data))
    if flag & (INTEGER | LONG):
        return int(data)
    if flag & MARSHAL:
        return marshal.loads(data)
    if flag & PICKLE:
        return pickle.loads(data)
    return data


def write_record(file, key, flag, data, version, when):
    if len(data) > MOST_VALUE:
        raise ValueError("the value of %r has %d bytes, and %d is the most" % (key, len(data), MOST_VALUE))
    rest = HEADER.pack(0, when, flag, version, len(key), len(data))[4:] + key + data
    record = struct.pack("<I", zlib.crc32(rest)) + rest
    file.write(record + b"\0" * (-len(record) % PADDING))


def read_record(file, at):
    """(key, (flag, data), version, time, where the next one is); None where there is no whole record."""
    file.seek(at)
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    check, when, flag, version, ksize, vsize = HEADER.unpack(head)
    if not 0 < ksize <= MOST_KEY or vsize > MOST_VALUE:
        return None
    body = file.read(ksize + vsize)
    if len(body) < ksize + vsize or zlib.crc32(body, zlib.crc32(head[4:])) != check:
        return None
    size = HEADER.size + len(body)
    return body[:ksize], (flag, body[ksize:]), version, when, at + size + -size % PADDING


def read(ctx, path, depth, wanted, raw, only_latest):
    rdd = raw_records(ctx, path, depth, wanted)
    if only_latest:
        rdd = rdd.reduceByKey(lambda one, two: two if two[2] >= one[2] else one, max(1, min(-(-len(rdd) // 4), 800)))
    return rdd if raw else rdd.mapValue(lambda found: (restore_value(*found[0]), found[1], found[2]))


def raw_records(ctx, path, depth, wanted):
    from ..records import BeansdbFileRDD

    if isinstance(path, (list, tuple)):
        return ctx.union([raw_records(ctx, one, depth, wanted) for one in path])
    path = os.path.abspath(path)
    if not os.path.isdir(path):
        return BeansdbFileRDD(ctx, path, wanted)
    # Some fold their data by the first bits of the keys, in one level of folders or two.
    folders = ["%x" % i for i in range(16) if os.path.isdir(os.path.join(path, "%x" % i))]
    files = [] if depth else [name for name in sorted(os.listdir(path)) if name.endswith(".data")]
    if files:
        return ctx.union([BeansdbFileRDD(ctx, os.path.join(path, name), wanted) for name in files])
    if not folders:
        raise FileNotFoundError("no data of a beansdb is in `%s`" % path)
    return ctx.union([raw_records(ctx, os.path.join(path, name), depth and depth - 1, wanted) for name in folders])

