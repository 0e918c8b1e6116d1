"""Lines of files. A large file is read in parts; a line belongs to the part that it begins in."""

import bz2
import gzip
import io
import itertools
import os

from .rdd import RDD, Split

BLOCK = 1 << 20


def below(folder, ext, follow, depth):
    """The files of a folder in a steady order; hidden ones are no part of it. `depth` 0: however deep."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=follow):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if depth and len(os.path.relpath(root, folder).split(os.sep)) + (root != folder) >= depth:
            folders[:] = []
        for name in sorted(names):
            path = os.path.join(root, name)
            if name.endswith(ext) and not name.startswith(".") and (follow or not os.path.islink(path)):
                found.append(path)
    return found


def decoded(data):
    # Bytes that are no UTF-8 come through, and are written as they were.
    return data.decode("utf-8", "surrogateescape")


class FileRDD(RDD):
    """A file, in parts of so many bytes."""

    DEFAULT_SPLIT_SIZE = 16 << 20

    def __init__(self, ctx, path, numSplits=None, splitSize=None):
        self.path = path
        self.size = os.path.getsize(path)
        super().__init__(ctx, self.parts(0, self.size, numSplits, splitSize))

    @classmethod
    def of(cls, ctx, path, *args, **kwargs):
        return cls(ctx, path, *args, **kwargs)

    def parts(self, begin, end, numSplits, splitSize):
        if splitSize is None:
            # Of about one size, for tasks that are done at about one time.
            numSplits = numSplits or -(-(end - begin) // self.DEFAULT_SPLIT_SIZE) or 1
            splitSize = -(-(end - begin) // numSplits)
        # Parts of one size whatever the file begins with, so that the same bytes are read together.
        splitSize = max(1, splitSize)
        edges = [begin, *range((begin // splitSize + 1) * splitSize, end, splitSize), end]
        return [Split(i, begin=b, end=e) for i, (b, e) in enumerate(zip(edges, edges[1:])) if e > b]

    def open(self):
        return open(self.path, "rb")


class TextFileRDD(FileRDD):
    @classmethod
    def of(cls, ctx, path, *args, **kwargs):
        if cls is TextFileRDD:
            cls = {".gz": GZipFileRDD, ".bz2": Bzip2FileRDD}.get(os.path.splitext(path)[1], cls)
        return cls(ctx, path, *args, **kwargs)

    def compute(self, split):
        return itertools.chain.from_iterable(self.blocks(split))

    def blocks(self, split):
        """Lists of lines."""
        with self.open() as file:
            at = split.begin
            if at:
                # The line before is another part's, to its end.
                file.seek(at - 1)
                at += len(file.readline()) - 1
            while at < split.end:
                block = file.read(min(BLOCK, split.end - at))
                if not block:
                    return
                if not block.endswith(b"\n"):
                    block += file.readline()
                at += len(block)
                yield decoded(block[:-1] if block.endswith(b"\n") else block).split("\n")


class PartialTextFileRDD(TextFileRDD):
    def __init__(self, ctx, path, begin, end, splitSize=None, numSplits=None):
        self.path, self.size = os.path.abspath(path), end - begin
        RDD.__init__(self, ctx, self.parts(begin, end, numSplits, splitSize))


class PackedFileRDD(FileRDD):
    """One that can only be read from its beginning, and so is one part."""

    def __init__(self, ctx, path, numSplits=None, splitSize=None):
        super().__init__(ctx, path, numSplits=1)

    def compute(self, split):
        with self.unpacked() as file:
            for line in io.BufferedReader(file, BLOCK):
                yield decoded(line[:-1] if line.endswith(b"\n") else line)


class GZipFileRDD(PackedFileRDD):
    def unpacked(self):
        return gzip.open(self.path)


class Bzip2FileRDD(PackedFileRDD):
    def unpacked(self):
        return bz2.open(self.path)
