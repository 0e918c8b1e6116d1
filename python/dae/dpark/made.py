"""The RDDs that are made of others, or of what the script has."""

import csv
import itertools
import logging
import math
import os
import pickle
import random
import shlex
import subprocess
import sys
import tempfile
import threading

from . import rdd as base
from . import shuffle, store, task
from .dependency import GroupByAggregator, Narrow
from .shuffle import Shuffle, in_order  # noqa: F401

RDD, Split = base.RDD, base.Split
log = logging.getLogger("dpark")


class TooManyErrors(Exception):
    """More records failed than may be left out."""


def tolerant(ratio, items, call):
    """What `call` makes of each, as something to go through; those that fail are left out, up to this share of all."""
    total = failed = 0
    for item in items:
        total += 1
        try:
            found = list(call(item))
        except Exception as error:
            failed += 1
            log.warning("left out %.200r: %s: %s", item, type(error).__name__, error)
            if total > 100 and failed > 10 * ratio * total:
                raise TooManyErrors("%d of %d records failed" % (failed, total)) from error
            continue
        yield from found
    if failed > ratio * total:
        raise TooManyErrors("%d of %d records failed, and %g %% may" % (failed, total, 100 * ratio))


class DerivedRDD(RDD):
    """One whose partitions are made of those of `prev`, each of one."""

    def __init__(self, prev):
        super().__init__(prev.ctx, prev.splits, [Narrow(prev)])
        self.prev = prev
        self.err_ratio = max(self.err_ratio, prev.err_ratio)

    def transform(self, index, it):
        """What becomes of the records `it` of the partition."""
        raise NotImplementedError

    def parents(self, split):
        return [(self.prev, split)] if self.prev is not None else []

    def compute(self, split):
        # Without recursion: a script may add to it a thousand times in a loop.
        steps, rdd = [self], self.prev
        while isinstance(rdd, DerivedRDD) and rdd.kept is None and type(rdd).compute is DerivedRDD.compute:
            steps.append(rdd)
            rdd = rdd.prev
        if len(steps) > 100:
            # Each may be a generator that runs within the next one.
            sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000 + 4 * len(steps)))
        it = rdd.iterator(split)
        for step in reversed(steps):
            it = step.transform(split.index, it)
        return it

    def forget_parents(self):
        super().forget_parents()
        self.prev = None

    def __reduce__(self):
        # Flat as well; what has been checkpointed has no parents any more.
        states, rdd = [], self
        while isinstance(rdd, DerivedRDD):
            states.append((type(rdd), dict(rdd.__getstate__(), prev=None)))
            rdd = rdd.prev
        return chained, (rdd, states[::-1])


def chained(rdd, states):
    for kind, state in states:
        prev, rdd = rdd, kind.__new__(kind)
        rdd.__dict__.update(state, prev=prev)
    return rdd


class FunctionRDD(DerivedRDD):
    def __init__(self, prev, func):
        super().__init__(prev)
        self.func = func

    def transform(self, index, it):
        if self.err_ratio:
            return tolerant(self.err_ratio, it, self.call)
        return self.all(it)

    def call(self, item):
        """What becomes of one record: any number of them."""
        raise NotImplementedError

    def all(self, it):
        return itertools.chain.from_iterable(map(self.call, it))


class MappedRDD(FunctionRDD):
    def call(self, item):
        return (self.func(item),)

    def all(self, it):
        return map(self.func, it)


class FlatMappedRDD(FunctionRDD):
    def call(self, item):
        return self.func(item)

    def all(self, it):
        return itertools.chain.from_iterable(map(self.func, it))


class FilteredRDD(FunctionRDD):
    def call(self, item):
        return (item,) if self.func(item) else ()

    def all(self, it):
        return filter(self.func, it)


class MappedValuesRDD(FunctionRDD):
    def __init__(self, prev, func):
        super().__init__(prev, func)
        # The keys stay where they are.
        self._partitioner = prev.partitioner

    def call(self, item):
        key, value = item
        return ((key, self.func(value)),)

    def all(self, it):
        func = self.func
        return ((key, func(value)) for key, value in it)


class FlatMappedValuesRDD(MappedValuesRDD):
    def call(self, item):
        key, value = item
        return [(key, one) for one in self.func(value)]

    def all(self, it):
        func = self.func
        return ((key, one) for key, value in it for one in func(value))


class MapPartitionsRDD(FunctionRDD):
    def transform(self, index, it):
        return self.func(iter(it))


class EnumeratePartitionsRDD(FunctionRDD):
    def transform(self, index, it):
        return self.func(index, iter(it))


class SampleRDD(DerivedRDD):
    def __init__(self, prev, share, replace, seed):
        super().__init__(prev)
        self.share, self.replace, self.seed = share, replace, seed

    def transform(self, index, it):
        chance = random.Random(self.seed + index)
        if not self.replace:
            return (item for item in it if chance.random() <= self.share)
        all = list(it)
        return [chance.choice(all) for _ in range(math.ceil(len(all) * self.share))]


class CSVReaderRDD(DerivedRDD):
    def __init__(self, prev, dialect):
        super().__init__(prev)
        self.dialect = dialect

    def transform(self, index, it):
        return csv.reader(iter(it), self.dialect)


class PipedRDD(DerivedRDD):
    """The lines, as bytes, that a program writes that is given the records as lines."""

    def __init__(self, prev, command, quiet):
        super().__init__(prev)
        self.command = shlex.split(command) if isinstance(command, str) else list(command)
        self.quiet = quiet

    def transform(self, index, it):
        heard = subprocess.DEVNULL if self.quiet else None
        child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=heard)
        failed, here = [], task.current()

        def feed():
            try:
                with task.running(here), child.stdin as pipe:
                    for item in it:
                        line = item if isinstance(item, bytes) else str(item).encode("utf-8", "surrogateescape")
                        pipe.write(line if line.endswith(b"\n") else line + b"\n")
            except BrokenPipeError:
                # It has read enough.
                pass
            except BaseException as error:
                failed.append(error)
                child.kill()

        feeding = threading.Thread(target=feed, daemon=True)
        feeding.start()
        with child.stdout:
            for line in child.stdout:
                yield line.rstrip(b"\n")
        child.wait()
        feeding.join()
        if failed:
            raise failed[0]


class ParallelCollection(RDD):
    """What the script has in memory."""

    def __init__(self, ctx, data, numSlices, taskMemory=None):
        slices = self.slice(data, max(1, min(len(data), numSlices)))
        super().__init__(ctx, [Split(index, values=self.packed(part)) for index, part in enumerate(slices)])

    @classmethod
    def slice(cls, data, numSlices):
        if numSlices < 1:
            raise ValueError("at least one part, and %r were asked for" % (numSlices,))
        if not isinstance(data, (list, range)):
            data = list(data)
        each = -(-len(data) // numSlices)
        return [data[i * each : (i + 1) * each] for i in range(numSlices)] if each else [[]]

    @staticmethod
    def packed(part):
        try:
            # A task may change what it is given, and the next one must not see that.
            return pickle.dumps(part, pickle.HIGHEST_PROTOCOL)
        except Exception:
            return part

    def compute(self, split):
        return iter(pickle.loads(split.values) if isinstance(split.values, bytes) else split.values)


class UnionRDD(RDD):
    def __init__(self, ctx, rdds):
        splits = [(rdd, split) for rdd in rdds for split in rdd.splits]
        super().__init__(ctx, [Split(i, rdd=rdd, split=split) for i, (rdd, split) in enumerate(splits)], map(Narrow, rdds))

    def parents(self, split):
        return [(split.rdd, split.split)]

    def compute(self, split):
        return split.rdd.iterator(split.split)


class SliceRDD(RDD):
    def __init__(self, rdd, begin, end):
        super().__init__(rdd.ctx, [Split(i, split=split) for i, split in enumerate(rdd.splits[begin:end])], [Narrow(rdd)])
        self.rdd = rdd

    def parents(self, split):
        return [(self.rdd, split.split)]

    def compute(self, split):
        return self.rdd.iterator(split.split)


class MergedRDD(RDD):
    """Partitions that follow each other become one."""

    def __init__(self, rdd, splitSize=None, numSplits=None):
        if splitSize is None:
            splitSize = max(1, -(-len(rdd) // numSplits))
        merged = [rdd.splits[i : i + splitSize] for i in range(0, len(rdd), splitSize)]
        super().__init__(rdd.ctx, [Split(i, splits=splits) for i, splits in enumerate(merged)], [Narrow(rdd)])
        self.rdd = rdd

    def parents(self, split):
        return [(self.rdd, one) for one in split.splits]

    def compute(self, split):
        return itertools.chain.from_iterable(map(self.rdd.iterator, split.splits))


class ZippedRDD(RDD):
    def __init__(self, ctx, rdds):
        if len({len(rdd) for rdd in rdds}) != 1:
            raise ValueError("what is zipped has as many partitions, and these have %s" % ", ".join(str(len(rdd)) for rdd in rdds))
        splits = zip(*(rdd.splits for rdd in rdds))
        super().__init__(ctx, [Split(i, splits=several) for i, several in enumerate(splits)], map(Narrow, rdds))
        self.rdds = list(rdds)

    def parents(self, split):
        return list(zip(self.rdds, split.splits))

    def compute(self, split):
        return zip(*(rdd.iterator(one) for rdd, one in zip(self.rdds, split.splits)))


class CartesianRDD(RDD):
    def __init__(self, one, two):
        pairs = itertools.product(one.splits, two.splits)
        super().__init__(one.ctx, [Split(i, pair=pair) for i, pair in enumerate(pairs)], [Narrow(one), Narrow(two)])
        self.one, self.two = one, two

    def parents(self, split):
        return list(zip((self.one, self.two), split.pair))

    def compute(self, split):
        first, second = split.pair
        # Read again for each record of the first one, so it is computed once.
        with tempfile.TemporaryDirectory(dir=store.store().folder) as folder:
            path = os.path.join(folder, "second")
            store.write_all(path, self.two.iterator(second))
            small = list(store.read_all(path)) if os.path.getsize(path) < 16 << 20 else None
            for item in self.one.iterator(first):
                for other in store.read_all(path) if small is None else small:
                    yield item, other


class ShuffledRDD(RDD):
    def __init__(self, parent, aggregator, partitioner):
        self.shuffle = Shuffle(parent, aggregator, partitioner)
        super().__init__(parent.ctx, map(Split, range(partitioner.numPartitions)), [self.shuffle])
        self._partitioner = partitioner

    def compute(self, split):
        return iter(self.shuffle.merged(split.index))


class PartedRDD(RDD):
    """The pairs as they are, in the partitions their keys are in."""

    def __init__(self, parent, partitioner):
        self.shuffle = Shuffle(parent, None, partitioner)
        super().__init__(parent.ctx, map(Split, range(partitioner.numPartitions)), [self.shuffle])
        self._partitioner = partitioner

    def compute(self, split):
        return itertools.chain.from_iterable(self.shuffle.read(split.index))


class CoGroupedRDD(RDD):
    def __init__(self, rdds, partitioner):
        # What is parted in this very way already stays where it is.
        sources = [rdd if rdd.partitioner == partitioner else Shuffle(rdd, GroupByAggregator(), partitioner) for rdd in rdds]
        count = partitioner.numPartitions
        here = [[source.splits[i] if isinstance(source, RDD) else None for source in sources] for i in range(count)]
        dependencies = [Narrow(source) if isinstance(source, RDD) else source for source in sources]
        super().__init__(rdds[0].ctx, [Split(i, here=splits) for i, splits in enumerate(here)], dependencies)
        self.sources = sources
        self._partitioner = partitioner

    def parents(self, split):
        return [(source, here) for source, here in zip(self.sources, split.here) if here is not None]

    def compute(self, split):
        def read(source, here):
            if here is None:
                return source.read(split.index)
            return ([(key, [value]) for key, value in chunk] for chunk in store.chunks(source.iterator(here)))

        return iter(shuffle.grouped([read(source, here) for source, here in zip(self.sources, split.here)]))
