"""Tables by column: only the fields that are asked for are read, and of the stripes only those that an index does not rule out.

A .dt file: stripes, one after the other, each a zlib stream of marshalled columns, one a field; then a pickle of
{fields, stripes: [(begin, rows, [size of each column])], indices: {field: {value: [stripe]}}}; its size in 8 bytes; MAGIC.
It is not the format of dpark, whose files want lz4.
"""

import marshal
import os
import pickle
import struct
import zlib

from . import textfiles
from .dependency import Narrow
from .output import Output
from .rdd import RDD, Split
from .rows import names_of, row_of

MAGIC = b"daetable"
ROWS = 50_000
# Of more values than this no index is kept.
MOST_VALUES = 1 << 16


class OutputTabularRDD(Output):
    def __init__(self, rdd, path, field_names, indices=None):
        if os.path.exists(path):
            raise FileExistsError("`%s` is there already" % path)
        super().__init__(rdd, path, ".dt")
        self.fields, self.indices = names_of(field_names), names_of(indices or ())
        unknown = set(self.indices) - set(self.fields)
        if unknown or len(set(self.fields)) != len(self.fields):
            raise ValueError("no field, or one several times: %s" % ", ".join(sorted(unknown) or self.fields))

    def write(self, file, it):
        from .store import chunks

        stripes, indices = [], {name: {} for name in self.indices}
        for rows in chunks(it, ROWS):
            columns = list(zip(*rows))[: len(self.fields)]
            if len(columns) < len(self.fields):
                raise ValueError("a row has %d values for the fields %s" % (len(columns), ", ".join(self.fields)))
            for name, index in list(indices.items()):
                for value in set(columns[self.fields.index(name)]):
                    index.setdefault(value, []).append(len(stripes))
                if len(index) > MOST_VALUES:
                    del indices[name]
            packed = [zlib.compress(marshal.dumps(column), 1) for column in columns]
            stripes.append((file.tell(), len(rows), list(map(len, packed))))
            file.write(b"".join(packed))
        footer = pickle.dumps({"fields": self.fields, "stripes": stripes, "indices": indices}, 4)
        file.write(footer + struct.pack("<Q", len(footer)) + MAGIC)
        return bool(stripes)


def footer_of(path):
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 16))
        tail = file.read()
        if tail[8:] != MAGIC:
            raise ValueError("`%s` is no table by column" % path)
        size = struct.unpack("<Q", tail[:8])[0]
        file.seek(end - 16 - size)
        return pickle.loads(file.read(size))


def test_of(wanted):
    """A value, several, or a function, as a function."""
    if callable(wanted):
        return wanted
    values = wanted if isinstance(wanted, (list, tuple, set)) else [wanted]
    return lambda value: value in values


class TabularRDD(RDD):
    def __init__(self, ctx, path, fields=None):
        paths = [path] if isinstance(path, (str, os.PathLike)) else path
        files = [file for one in paths for file in (textfiles.below(one, "", True, 0) if os.path.isdir(one) else [one])]
        splits = [(file, at) for file in map(os.path.abspath, files) for at in range(len(footer_of(file)["stripes"]))]
        super().__init__(ctx, [Split(i, path=path, at=at) for i, (path, at) in enumerate(splits)])
        self.fields = names_of(fields) if fields is not None else None

    def compute(self, split):
        footer = footer_of(split.path)
        fields = self.fields or footer["fields"]
        begin, rows, sizes = footer["stripes"][split.at]
        columns = []
        with open(split.path, "rb") as file:
            for name in fields:
                if name not in footer["fields"]:
                    raise ValueError("`%s` has no field `%s`; it has %s" % (split.path, name, ", ".join(footer["fields"])))
                at = footer["fields"].index(name)
                file.seek(begin + sum(sizes[:at]))
                columns.append(marshal.loads(zlib.decompress(file.read(sizes[at]))))
        return map(row_of(fields), zip(*columns) if columns else [()] * rows)

    def filterByIndex(self, **wanted):
        """The rows whose fields are a value, one of several, or pass a function; each field has an index, and is read."""
        tests = {name: test_of(value) for name, value in wanted.items()}
        return FilteredByIndexRDD(self, tests, [split for split in self.splits if may_hold(split, tests)])


def may_hold(split, tests):
    indices = footer_of(split.path)["indices"]
    return all(
        name not in indices or any(split.at in stripes and test(value) for value, stripes in indices[name].items())
        for name, test in tests.items()
    )


class FilteredByIndexRDD(RDD):
    def __init__(self, rdd, tests, splits):
        super().__init__(rdd.ctx, [Split(i, split=split) for i, split in enumerate(splits)], [Narrow(rdd)])
        self.rdd, self.tests = rdd, tests

    def parents(self, split):
        return [(self.rdd, split.split)]

    def compute(self, split):
        return (row for row in self.rdd.iterator(split.split) if all(test(getattr(row, name)) for name, test in self.tests.items()))
