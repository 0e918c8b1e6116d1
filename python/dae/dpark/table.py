"""Tables: an RDD of rows whose fields have names, and a little of SQL's verbs on them.

    visits.where("age >= 18").groupBy("city", "count(*) as visits", "avg(age)").sort("visits", reverse=True)

An expression is Python's, of the fields by their names; what is written there is run, so it is never a stranger's.
"""

import collections
import math
import os
import re

from .dependency import Aggregator
from .made import DerivedRDD
from .rows import names_of, row_of
from .utils.hyperloglog import HyperLogLog


def _added(held, value):
    held.add(value)
    return held


def _united(held, more):
    held.update(more)
    return held


def _counted(counts, more):
    counts.update(more)
    return counts


# By name: of the first value, one more, two of them, and what is shown.
AGGREGATES = {
    "sum": (lambda v: v, lambda s, v: s + v, lambda s, t: s + t, lambda s: s),
    "min": (lambda v: v, min, min, lambda s: s),
    "max": (lambda v: v, max, max, lambda s: s),
    "last": (lambda v: v, lambda s, v: v, lambda s, t: t, lambda s: s),
    "avg": (lambda v: (v, 1), lambda s, v: (s[0] + v, s[1] + 1), lambda s, t: (s[0] + t[0], s[1] + t[1]), lambda s: s[0] / s[1]),
    "count": (lambda v: int(v is not None), lambda s, v: s + (v is not None), lambda s, t: s + t, lambda s: s),
    "adcount": (lambda v: HyperLogLog([v]), _added, _united, len),
    "group_concat": (lambda v: [v], lambda s, v: s + [v], lambda s, t: s + t, lambda s: ",".join(map(str, s))),
    "top": (lambda v: collections.Counter([v]), lambda s, v: _counted(s, [v]), _counted, lambda s: s.most_common(20)),
    # A field without one: all its values.
    "": (lambda v: [v], lambda s, v: s + [v], lambda s, t: s + t, lambda s: s),
}


def field_names(path):
    """What `TableRDD.save` wrote of the fields."""
    for root, _, names in os.walk(path[0] if isinstance(path, (list, tuple)) else path):
        if ".field_names" in names:
            with open(os.path.join(root, ".field_names")) as file:
                return file.read().rstrip("\n").split("\t")
    raise FileNotFoundError("no `.field_names` is in `%s`: name the fields, tableFile(path).asTable(fields)" % path)


class TableRDD(DerivedRDD):
    def __init__(self, rdd, fields, name=""):
        super().__init__(rdd)
        self.fields, self.name = names_of(fields), name

    def transform(self, index, it):
        return map(row_of(self.fields), it)

    def collect(self):
        return [tuple(row) for row in self]

    def named(self, expression):
        """Its text, and what it is called."""
        text, _, name = re.match(r"(?is)(.*?)(\s+as\s+(\w+))?\s*$", expression).groups()
        return text.strip(), name or re.sub(r"\W+", "_", text).strip("_")

    def function(self, expression):
        """What computes it of a row."""
        if callable(expression):
            return expression
        text = re.sub(r"\b%s\." % re.escape(self.name), "", expression) if self.name else expression
        # The names of `math` are there too.
        return eval(compile("lambda %s: (%s)" % (", ".join(self.fields), text), "<table>", "eval"), dict(vars(math)))

    def of_row(self, expression):
        function = self.function(expression)
        return function if callable(expression) else lambda row: function(*row)

    def distinct(self, names):
        if len(set(names)) != len(names):
            raise ValueError("several fields have one name: %s" % ", ".join(names))
        return names

    def select(self, *fields, **named):
        if fields == ("*",):
            fields = tuple(self.fields)
        found = [self.named(field) for field in fields]
        names = self.distinct([name for _, name in found] + list(named))
        functions = [self.of_row(text) for text, _ in found] + [self.of_row(value) for value in named.values()]
        return self.map(lambda row: tuple(function(row) for function in functions)).asTable(names, self.name)

    def where(self, *conditions):
        functions = [self.of_row(condition) for condition in conditions]
        return self.filter(lambda row: all(function(row) for function in functions)).asTable(self.fields, self.name)

    def aggregates(self, fields, named):
        """Names, and for each what computes its value of a row, and how values are combined."""
        expressions = [self.named(field) for field in fields] + [(text, name) for name, text in named.items()]
        names, values, kinds = self.distinct([name for _, name in expressions]), [], []
        for text, _ in expressions:
            kind, argument = re.match(r"(?is)(?:(\w+)\s*\()?(.*?)\)?$", text).groups() if "(" in text else ("", text)
            if kind not in AGGREGATES:
                raise ValueError("`%s` combines nothing; there are %s" % (kind, ", ".join(sorted(filter(None, AGGREGATES)))))
            values.append(self.of_row("1" if argument.strip() in ("*", "") else argument))
            kinds.append(AGGREGATES[kind])
        return names, values, kinds

    @staticmethod
    def aggregator(values, kinds):
        return Aggregator(
            lambda row: [kind[0](value(row)) for kind, value in zip(kinds, values)],
            lambda held, row: [kind[1](one, value(row)) for kind, value, one in zip(kinds, values, held)],
            lambda held, more: [kind[2](one, two) for kind, one, two in zip(kinds, held, more)],
        )

    def groupBy(self, keys, *fields, numSplits=None, **named):
        keys = [self.named(key) for key in ([keys] if isinstance(keys, str) else keys)]
        key_of = [self.of_row(text) for text, _ in keys]
        names, values, kinds = self.aggregates(fields, named)
        grouped = self.map(lambda row: (tuple(key(row) for key in key_of), row)).combineByKey(self.aggregator(values, kinds), numSplits)
        rows = grouped.map(lambda pair: pair[0] + tuple(kind[3](one) for kind, one in zip(kinds, pair[1])))
        return rows.asTable([name for _, name in keys] + names, self.name)

    def selectOne(self, *fields, **named):
        """One row of aggregates, in a list."""
        _, values, kinds = self.aggregates(fields, named)
        found = self.map(lambda row: (None, row)).combineByKey(self.aggregator(values, kinds), 1).collect()
        return [tuple(kind[3](one) for kind, one in zip(kinds, held)) for _, held in found]

    def atop(self, field):
        return self.selectOne("top(%s)" % field)[0][0]

    def places(self, fields):
        return [self.fields.index(name) for name in names_of(fields)]

    def by(self, fields):
        at = self.places(fields)
        return lambda row: tuple(row[i] for i in at)

    def sort(self, fields, reverse=False, numSplits=None):
        return super().sort(self.by(fields), reverse, numSplits).asTable(self.fields, self.name)

    def top(self, n, fields, reverse=False):
        return [tuple(row) for row in super().top(n, self.by(fields), reverse)]

    def indexBy(self, keys=None):
        """(key, rest) of each row."""
        at = self.places(keys or self.fields[:1])
        rest = [i for i in range(len(self.fields)) if i not in at]
        return self.map(lambda row: (tuple(row[i] for i in at), tuple(row[i] for i in rest)))

    def _joined(self, verb, other, left_keys, right_keys):
        left = names_of(left_keys or [name for name in self.fields if name in other.fields])
        right = names_of(right_keys or left)
        if not left:
            raise ValueError("the tables have no field in common: name those to join by")
        ours = [name for name in self.fields if name not in left]
        theirs = [name for name in other.fields if name not in right]
        pairs = getattr(self.indexBy(left), verb)(other.indexBy(right))
        none = (None,) * len(ours), (None,) * len(theirs)
        rows = pairs.map(lambda pair: pair[0] + (pair[1][0] or none[0]) + (pair[1][1] or none[1]))
        return rows.asTable(self.distinct(left + ours + theirs), self.name)

    def join(self, other, left_keys=None, right_keys=None):
        return self._joined("join", other, left_keys, right_keys)

    def innerJoin(self, other, left_keys=None, right_keys=None):
        return self._joined("innerJoin", other, left_keys, right_keys)

    def outerJoin(self, other, left_keys=None, right_keys=None):
        return self._joined("outerJoin", other, left_keys, right_keys)

    def leftOuterJoin(self, other, left_keys=None, right_keys=None):
        return self._joined("leftOuterJoin", other, left_keys, right_keys)

    def rightOuterJoin(self, other, left_keys=None, right_keys=None):
        return self._joined("rightOuterJoin", other, left_keys, right_keys)

    def save(self, path, overwrite=True, compress=True):
        written = self.map(tuple).saveAsTableFile(path, overwrite, compress)
        with open(os.path.join(path, ".field_names"), "w") as file:
            file.write("\t".join(self.fields))
        return written
