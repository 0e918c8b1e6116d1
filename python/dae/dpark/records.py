"""Files of records: of one length, of MessagePack in blocks (dpark's .tab), TensorFlow's, beansdb's."""

import struct
import zlib

from .textfiles import FileRDD
from .utils import beansdb, crc32c, msgpack

# Each block of a .tab file: this, whether it is compressed, how many records, how many bytes, and the bytes.
MAGIC = b"\x00\xde\x00\xad\xff\xbe\xff\xef"
HEADER = struct.Struct("III")


class BinaryFileRDD(FileRDD):
    """Records of one length: as `struct` has it by `fmt`, or their bytes."""

    def __init__(self, ctx, path, fmt=None, length=None, numSplits=None, splitSize=None):
        self.fmt, self.length = fmt, struct.calcsize(fmt) if fmt else length
        if not self.length:
            raise ValueError("how long is a record of `%s`? Name fmt or length" % path)
        splitSize = max((splitSize or self.DEFAULT_SPLIT_SIZE) // self.length, 1) * self.length
        super().__init__(ctx, path, None if splitSize else numSplits, splitSize)

    def compute(self, split):
        whole = (split.end - split.begin) // self.length
        with self.open() as file:
            file.seek(split.begin)
            while whole:
                some = min(whole, max(1, (1 << 20) // self.length))
                block = file.read(some * self.length)
                if self.fmt:
                    yield from struct.iter_unpack(self.fmt, block)
                else:
                    yield from (block[i : i + self.length] for i in range(0, len(block), self.length))
                whole -= some


def find(file, at, end, wanted, size):
    """The first place from `at`, before `end`, where `wanted(bytes)` is so of the next `size` bytes."""
    file.seek(at)
    block, begin = b"", at
    while begin < end:
        more = file.read(1 << 16)
        block += more
        found = wanted(block)
        if 0 <= found < end - begin:
            return begin + found
        if not more:
            return None
        begin, block = begin + max(0, len(block) - size + 1), block[1 - size :]
    return None


class TableFileRDD(FileRDD):
    def compute(self, split):
        with self.open() as file:
            at = find(file, split.begin, split.end, lambda block: block.find(MAGIC), len(MAGIC))
            while at is not None and at < split.end:
                file.seek(at)
                head = file.read(len(MAGIC) + HEADER.size)
                if len(head) < len(MAGIC) + HEADER.size or not head.startswith(MAGIC):
                    return
                packed, count, size = HEADER.unpack(head[len(MAGIC) :])
                data = file.read(size)
                if len(data) < size:
                    raise EOFError("`%s` ends within a block" % self.path)
                yield from msgpack.unpack_all(zlib.decompress(data) if packed else data)
                at += len(head) + size


class TFRecordsRDD(FileRDD):
    HEAD = struct.Struct("<QI")

    def compute(self, split):
        with self.open() as file:
            at = find(file, split.begin, split.end, self.found, self.HEAD.size)
            while at is not None and at < split.end:
                file.seek(at)
                head = file.read(self.HEAD.size)
                if not self.begins(head):
                    raise ValueError("`%s` is broken at byte %d" % (self.path, at))
                size = self.HEAD.unpack(head)[0]
                data, check = file.read(size), file.read(4)
                if len(check) < 4 or struct.unpack("<I", check)[0] != crc32c.masked(data):
                    raise ValueError("a record of `%s`, at byte %d, is not what was written" % (self.path, at))
                yield data.decode("utf-8", "surrogateescape")
                at += len(head) + size + 4

    def begins(self, head):
        return len(head) == self.HEAD.size and self.HEAD.unpack(head)[1] == crc32c.masked(head[:8])

    def found(self, block):
        size = self.HEAD.size
        return next((i for i in range(len(block) - size + 1) if self.begins(block[i : i + size])), -1)


class BeansdbFileRDD(FileRDD):
    """(key, ((flag, bytes), version, time)) of one data file; what is broken is passed over."""

    DEFAULT_SPLIT_SIZE = 64 << 20

    def __init__(self, ctx, path, wanted):
        super().__init__(ctx, path)
        self.wanted = wanted

    def compute(self, split):
        at = -(-split.begin // beansdb.PADDING) * beansdb.PADDING
        with self.open() as file:
            while at < split.end:
                found = beansdb.read_record(file, at)
                if found is None:
                    at += beansdb.PADDING
                    continue
                key, value, version, when, at = found
                if self.wanted is None or self.wanted(key):
                    yield key, (value, version, when)
