"""Writes an RDD into a folder: a file for each partition that holds anything, which is whole or not there."""

import csv
import gzip
import io
import os
import shutil
import socket
import struct
import time
import zlib

from . import records
from .made import DerivedRDD
from .utils import beansdb, crc32c, msgpack


def prepare(path, overwrite):
    """The folder; what it holds is taken away where it is to be overwritten."""
    path = os.path.abspath(path)
    if os.path.exists(path) and not os.path.isdir(path):
        raise NotADirectoryError("`%s` is to be written into, and is a file" % path)
    os.makedirs(path, exist_ok=True)
    if overwrite and os.listdir(path):
        kept = os.path.realpath(path)
        for folder in (os.getcwd(), os.path.expanduser("~"), os.environ.get("DAE_APPROOT", "")):
            if folder and (os.path.realpath(folder) + os.sep).startswith(os.path.join(kept, "")):
                raise ValueError("`%s` would be emptied, and you work there: name a folder for the result alone" % path)
        for entry in os.scandir(path):
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.remove(entry)
    return path


class Output(DerivedRDD):
    """Its records are the paths of what was written."""

    def __init__(self, rdd, path, ext="", overwrite=True, compress=False):
        super().__init__(rdd)
        self.folder, self.overwrite, self.compress = prepare(path, overwrite), overwrite, compress
        ext = "." + ext if ext and not ext.startswith(".") else ext
        self.ext = ext + ".gz" if compress and not ext.endswith("gz") else ext

    def transform(self, index, it):
        path = os.path.join(self.folder, "%04d%s" % (index, self.ext))
        if os.path.exists(path) and not self.overwrite:
            return
        under_way = self.under_way(path)
        try:
            with open(under_way, "wb", 1 << 20) as file:
                with gzip.GzipFile("", "wb", 6, file, mtime=0) if self.compress else file as target:
                    some = self.write(target, it)
            if some:
                os.replace(under_way, path)
                yield path
        finally:
            if os.path.exists(under_way):
                os.remove(under_way)

    @staticmethod
    def under_way(path):
        folder, name = os.path.split(path)
        return os.path.join(folder, ".%s.%s.%d.tmp" % (name, socket.gethostname(), os.getpid()))

    def write(self, file, it):
        """Whether there was anything."""
        raise NotImplementedError



def text_into(file):
    return io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="", write_through=False)


class TextOutput(Output):
    def write(self, file, it):
        text, some = text_into(file), False
        for line in it:
            text.write(line if line.endswith("\n") else line + "\n")
            some = True
        text.flush()
        text.detach()
        return some


class CSVOutput(Output):
    def __init__(self, rdd, path, dialect, overwrite, compress):
        super().__init__(rdd, path, ".csv", overwrite, compress)
        self.dialect = dialect

    def write(self, file, it):
        text, some = text_into(file), False
        writer = csv.writer(text, self.dialect)
        for row in it:
            writer.writerow(row if isinstance(row, (tuple, list)) else (row,))
            some = True
        text.flush()
        text.detach()
        return some


class BinaryOutput(Output):
    def __init__(self, rdd, path, fmt, overwrite):
        super().__init__(rdd, path, ".bin", overwrite)
        self.form = struct.Struct(fmt).format

    def write(self, file, it):
        form, some = struct.Struct(self.form), False
        for row in it:
            file.write(form.pack(*row) if isinstance(row, (tuple, list)) else form.pack(row))
            some = True
        return some


class TableOutput(Output):
    """Blocks of MessagePack: see `records.TableFileRDD`."""

    BLOCK = 256 << 10

    def __init__(self, rdd, path, overwrite, compress):
        super().__init__(rdd, path, ".tab", overwrite)
        self.packed = compress

    def write(self, file, it):
        block, count = bytearray(), 0
        for row in it:
            msgpack.pack_into(block, row)
            count += 1
            if len(block) > self.BLOCK:
                self.flush(file, block, count)
                block, count = bytearray(), 0
        if count:
            self.flush(file, block, count)
        return file.tell() > 0

    def flush(self, file, block, count):
        data = zlib.compress(block, 1) if self.packed else bytes(block)
        file.write(records.MAGIC + records.HEADER.pack(self.packed, count, len(data)) + data)


class TFRecordsOutput(Output):
    def __init__(self, rdd, path, overwrite):
        super().__init__(rdd, path, ".tfrecords", overwrite)

    def write(self, file, it):
        some = False
        for item in it:
            data = item if isinstance(item, bytes) else str(item).encode()
            length = struct.pack("<Q", len(data))
            file.write(length + struct.pack("<I", crc32c.masked(length)) + data + struct.pack("<I", crc32c.masked(data)))
            some = True
        return some


class KeyedTextOutput(Output):
    """Of (key, line): a folder for each key."""

    # Characters of lines that are held before some are written, so that few files are open at a time.
    HELD = 16 << 20

    def transform(self, index, it):
        held, size, under_way = {}, 0, {}
        try:
            for key, line in it:
                held.setdefault(key, []).append(line if line.endswith("\n") else line + "\n")
                size += len(line)
                if size > self.HELD:
                    self.flush(held, under_way, index)
                    size = 0
            self.flush(held, under_way, index)
            for path, temporary in under_way.items():
                if self.overwrite or not os.path.exists(path):
                    os.replace(temporary, path)
                    yield path
        finally:
            for temporary in under_way.values():
                if os.path.exists(temporary):
                    os.remove(temporary)

    def flush(self, held, under_way, index):
        for key, lines in held.items():
            path = os.path.join(self.folder, str(key), "%04d%s" % (index, self.ext))
            if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(self.folder), "")):
                raise ValueError("the key %r would be written outside `%s`" % (key, self.folder))
            if path not in under_way:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                under_way[path] = self.under_way(path)
            with (gzip.open if self.compress else open)(under_way[path], "ab") as file:
                # Several members of a gzip file are one text.
                file.write("".join(lines).encode("utf-8", "surrogateescape"))
        held.clear()


class BeansdbOutput(Output):
    """The data files of a beansdb: by the first bits of the keys' hash, in so many levels of 16 folders."""

    def __init__(self, rdd, path, depth, overwrite, raw, with_meta):
        super().__init__(rdd, path, ".data", overwrite)
        self.depth, self.raw, self.with_meta = depth, raw, with_meta

    def transform(self, index, it):
        files, now = {}, int(time.time())
        try:
            for key, value in it:
                key = beansdb.as_key(key)
                if not beansdb.is_valid_key(key):
                    beansdb.log.warning("left out a key that is none: %r", key)
                    continue
                bucket = ("%0*x" % (self.depth, beansdb.fnv1a(key) >> 32 - 4 * self.depth))[: self.depth]
                path = os.path.join(self.folder, *bucket, "%03d.data" % index)
                if path not in files:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    files[path] = open(self.under_way(path), "wb", 1 << 16)
                value, version, when = value if self.with_meta else (value, 1, now)
                flag, data = value if self.raw else beansdb.prepare_value(value)
                beansdb.write_record(files[path], key, flag, data, version, when)
            for path, file in files.items():
                file.close()
                if self.overwrite or not os.path.exists(path):
                    os.replace(self.under_way(path), path)
                    yield path
        finally:
            for path, file in files.items():
                file.close()
                if os.path.exists(self.under_way(path)):
                    os.remove(self.under_way(path))
