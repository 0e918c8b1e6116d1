"""An RDD: a set in partitions, and how each is computed from others. Nothing is computed until a result is asked for."""

import functools
import heapq
import itertools
import math
import os
import pickle
import random
import sys
import uuid
from copy import copy

from . import store, task
from .dependency import HashPartitioner, Partitioner, RangePartitioner
from .pairs import Pairs

_numbers = itertools.count(1)
_package = os.path.dirname(os.path.abspath(__file__))


class Split:
    """One partition: its number, and what its RDD needs to know of it."""

    def __init__(self, index, **more):
        self.index = index
        self.__dict__.update(more)


class RDD(Pairs):
    def __init__(self, ctx, splits=(), dependencies=()):
        ctx.init()
        self.ctx = ctx
        self.id = next(_numbers)
        self._splits = list(splits)
        # Narrow and Shuffle.
        self._dependencies = list(dependencies)
        self._partitioner = None
        # Where computed partitions are kept; None: nowhere.
        self.kept = None
        self.kept_for_good = False
        self.mem, self.cpus, self.gpus = ctx.options.mem, 0, 0
        self.err_ratio = ctx.options.err
        self.place = place()

    def __getstate__(self):
        # For a task on another machine.
        left_out = {"ctx": None, "_splits": (), "_dependencies": ()}
        if self.kept and not self.kept_for_good:
            # Handed to the task that reads it.
            left_out["kept"] = ""
        return dict(self.__dict__, **left_out)

    def __len__(self):
        return len(self.splits)

    def __repr__(self):
        return "<%s %d of %d partitions, %s>" % (type(self).__name__, self.id, len(self), self.place)

    def __getitem__(self, index):
        if not isinstance(index, slice) or index.step is not None:
            raise ValueError("some partitions are asked for with a slice: rdd[2:5]")
        return made.SliceRDD(self, *index.indices(len(self))[:2])

    def __iter__(self):
        # A generator, so that to give it up is to end the job.
        for part in self.ctx.runJob(self, list):
            yield from part

    splits = property(lambda self: self._splits)
    dependencies = property(lambda self: self._dependencies)
    partitioner = property(lambda self: self._partitioner)

    def compute(self, split):
        raise NotImplementedError

    def parents(self, split):
        """The partitions, (rdd, split), of which this one is computed; not those behind a shuffle."""
        return []

    def iterator(self, split):
        """The records of a partition: kept ones, or computed."""
        if self.kept is None:
            return self.compute(split)
        if self.kept == "":
            held = task.current().inputs.get((self.id, split.index))
            return self.compute(split) if held is None else iter(pickle.loads(held))
        path = os.path.join(self.kept, str(split.index))
        if not os.path.exists(path):
            store.write_all(path, self.compute(split))
        return store.read_all(path)

    def complete(self):
        """Whether all of it is kept."""
        return self.kept is not None and all(os.path.exists(os.path.join(self.kept, str(s.index))) for s in self.splits)

    def cache(self):
        """Its partitions are kept once they are computed."""
        if self.kept is None:
            self.kept = store.new_path("cache")
            os.mkdir(self.kept)
            store.keep_for(self, [self.kept])
        return self

    persist = cache

    def unpersist(self):
        if self.kept and not self.kept_for_good:
            store.forget(os.getpid(), [self.kept])
            self.kept = None
        return self

    def checkpoint(self, path=None):
        """Keeps it below `path` for good, and forgets what it was computed from."""
        path = path or self.ctx.options.checkpoint_dir
        if not path:
            raise ValueError("no folder for the checkpoint: checkpoint(path), or --checkpoint_dir on the command line")
        self.kept = os.path.join(path, "%d-%s" % (self.id, uuid.uuid4().hex[:8]))
        self.kept_for_good = True
        os.makedirs(self.kept)
        return self

    snapshot = checkpoint

    def finish_checkpoint(self):
        missing = [i for i, s in enumerate(self.splits) if not os.path.exists(os.path.join(self.kept, str(s.index)))]
        if missing:
            for _ in self.ctx.runJob(self, lambda it: None, missing):
                pass
        self.forget_parents()

    def forget_parents(self):
        self._dependencies = []

    # What makes an RDD of this one.

    def map(self, f):
        return made.MappedRDD(self, f)

    def flatMap(self, f):
        return made.FlatMappedRDD(self, f)

    def filter(self, f):
        return made.FilteredRDD(self, f)

    def mapPartitions(self, f):
        return made.MapPartitionsRDD(self, f)

    mapPartition = mapPartitions

    def mapPartitionsWithIndex(self, f):
        return made.EnumeratePartitionsRDD(self, f)

    def glom(self):
        return self.mapPartitions(lambda it: [list(it)])

    def sample(self, faction, withReplacement=False, seed=12345):
        return made.SampleRDD(self, faction, withReplacement, seed)

    def batch(self, size):
        return self.mapPartitions(lambda it: store.chunks(it, size))

    def pipe(self, command, quiet=False):
        return made.PipedRDD(self, command, quiet)

    def fromCsv(self, dialect="excel"):
        return made.CSVReaderRDD(self, dialect)

    def union(self, *others):
        return made.UnionRDD(self.ctx, [self, *others])

    def zipWith(self, other):
        return made.ZippedRDD(self.ctx, [self, other])

    def zip(self, other):
        return self.zipWith(other)

    def cartesian(self, other, taskMemory=None, cacheMemory=None):
        return made.CartesianRDD(self, other)

    def mergeSplit(self, splitSize=None, numSplits=None):
        return made.MergedRDD(self, splitSize, numSplits)

    def enumeratePartition(self):
        return self.mapPartitionsWithIndex(lambda index, it: ((index, x) for x in it))

    def enumerate(self):
        """[(0, first), (1, second), ...]; counts all but the last partition first."""
        starts = [0]
        if len(self) > 1:
            counts = self.ctx.runJob(self, count, range(len(self) - 1))
            starts = list(itertools.accumulate(counts, initial=0))
        return self.mapPartitionsWithIndex(lambda index, it: enumerate(it, starts[index]))

    def sort(self, key=lambda x: x, reverse=False, numSplits=None, taskMemory=None, rddconf=None):
        if not len(self):
            return self
        if len(self) == 1:
            return self.mapPartitions(lambda it: made.in_order(it, key, reverse))
        numSplits = numSplits or min(self.ctx.defaultMinSplits, len(self))
        some = max(20 * numSplits // len(self), 5)
        found = sorted(itertools.chain.from_iterable(self.ctx.runJob(self, lambda it: few(map(key, it), some))))
        bounds = [found[len(found) * i // numSplits] for i in range(1, numSplits)] if found else []
        parted = made.PartedRDD(self.map(lambda x: (key(x), x)), RangePartitioner(bounds, reverse))
        return parted.mapPartitions(lambda it: made.in_order((x for _, x in it), key, reverse))

    def groupBy(self, f, numSplits=None, rddconf=None):
        return self.map(lambda x: (f(x), x)).groupByKey(numSplits or min(self.ctx.defaultMinSplits, len(self)))

    def uniq(self, numSplits=None, taskMemory=None, rddconf=None):
        return self.map(lambda x: (x, None)).reduceByKey(lambda x, y: None, numSplits).map(lambda pair: pair[0])

    # What asks for a result.

    def collect(self):
        return list(self)

    toList = collect

    def count(self):
        return sum(self.ctx.runJob(self, count))

    def foreach(self, f):
        def each(it):
            for x in it:
                f(x)

        self.foreachPartition(each)

    def foreachPartition(self, f):
        for _ in self.ctx.runJob(self, f):
            pass

    def reduce(self, f):
        ratio = self.err_ratio

        def reduced(it):
            if not ratio:
                # An empty partition has nothing to say.
                return [functools.reduce(f, it, first) for first in itertools.islice(it, 1)]
            held = []

            def call(x):
                held[:] = [f(held[0], x)] if held else [x]
                return ()

            return [*made.tolerant(ratio, it, call), *held]

        return functools.reduce(f, itertools.chain.from_iterable(self.ctx.runJob(self, lambda it: reduced(iter(it)))))

    def fold(self, zero, f):
        return self.aggregate(zero, f, f)

    def aggregate(self, zero, seqOp, combOp):
        """Each partition begins with a copy of `zero`; both functions may change and return their first argument."""
        parts = self.ctx.runJob(self, lambda it: functools.reduce(seqOp, it, copy(zero)))
        return functools.reduce(combOp, parts, copy(zero))

    def take(self, n):
        """The first `n`, of as few partitions as that takes."""
        found, at, step = [], 0, 1
        while len(found) < n and at < len(self):
            wanted = n - len(found)
            some = range(at, min(at + step, len(self)))
            for part in self.ctx.runJob(self, lambda it: list(itertools.islice(it, wanted)), some):
                found.extend(part)
            at, step = some.stop, 2 * step
        return found[:n]

    def first(self):
        return next(iter(self.take(1)), None)

    def top(self, n=10, key=None, reverse=False):
        most = heapq.nsmallest if reverse else heapq.nlargest
        return most(n, itertools.chain.from_iterable(self.ctx.runJob(self, lambda it: most(n, it, key))), key)

    def hot(self, n=10, numSplits=None, taskMemory=None, rddconf=None):
        """The most frequent ones, with how often they are there."""
        counted = self.map(lambda x: (x, 1)).reduceByKey(lambda x, y: x + y, numSplits)
        return counted.top(n, key=lambda pair: pair[1])

    def countByValue(self):
        return self.map(lambda x: (x, 1)).reduceByKey(lambda x, y: x + y).collectAsMap()

    def adcount(self):
        """About how many different ones there are."""
        return self.map(lambda x: (1, x)).adcountByKey(1).collectAsMap().get(1, 0)

    def percentiles(self, p, sampleRate=1.0, func=None):
        from .utils.tdigest import TDigest

        rdd = self.sampled(sampleRate)
        digests = (rdd.map(func) if func else rdd).mapPartitions(lambda it: [TDigest(it)])
        digest = digests.reduce(lambda x, y: x + y)
        return [digest.quantile(percent / 100) for percent in p]

    def sampled(self, rate):
        if rate <= 0:
            raise ValueError("the share that is sampled is more than 0, and %r was asked for" % (rate,))
        return self if rate >= 1 else self.sample(rate)

    def thresholds(self, count, rate):
        """Hashes between which there is about as much, for so many partitions or fewer."""
        from .hashing import portable_hash

        steps = [100 * i / count for i in range(1, count)]
        found = self.percentiles(steps, rate, lambda pair: portable_hash(pair[0]))
        return sorted({math.ceil(hash) for hash in found if not math.isnan(hash)})

    def by_hash(self, splits, fixSkew=-1, others=()):
        """How the keys of a shuffle are parted: into so many parts, or by the partitioner that is given."""
        if isinstance(splits, Partitioner):
            return splits
        if fixSkew > 0 and splits > 1:
            thresholds = (self.union(*others) if others else self).thresholds(splits, fixSkew)
            return HashPartitioner(len(thresholds) + 1, thresholds)
        return HashPartitioner(splits)

    # What is written.

    def saveAsTextFile(self, path, ext="", overwrite=True, compress=False):
        return output.TextOutput(self, path, ext, overwrite, compress).collect()

    def saveAsTextFileByKey(self, path, ext="", overwrite=True, compress=False):
        return output.KeyedTextOutput(self, path, ext, overwrite, compress).collect()

    def saveAsCSVFile(self, path, dialect="excel", overwrite=True, compress=False):
        return output.CSVOutput(self, path, dialect, overwrite, compress).collect()

    def saveAsBinaryFile(self, path, fmt, overwrite=True):
        return output.BinaryOutput(self, path, fmt, overwrite).collect()

    def saveAsTableFile(self, path, overwrite=True, compress=True):
        return output.TableOutput(self, path, overwrite, compress).collect()

    def saveAsTFRecordsFile(self, path, ext="", overwrite=True, compress=False):
        return output.TFRecordsOutput(self, path, overwrite).collect()

    def saveAsBeansdb(self, path, depth=0, overwrite=True, compress=True, raw=False, valueWithMeta=False):
        if depth > 2:
            raise ValueError("at most two levels of folders, and %r were asked for" % (depth,))
        rdd = self.mergeSplit(len(self) // 256 + 1) if len(self) >= 256 else self
        return output.BeansdbOutput(rdd, path, depth, overwrite, raw, valueWithMeta).collect()

    def saveAsTabular(self, path, field_names, indices=None, numSplits=None):
        from .tabular import OutputTabularRDD

        rdd = self.mergeSplit(numSplits=numSplits) if numSplits and numSplits < len(self) else self
        return OutputTabularRDD(rdd, path, field_names, indices).collect()

    def asTable(self, fields, name=""):
        from .table import TableRDD

        return TableRDD(self, fields, name)

    def with_cpus(self, cpus):
        self.cpus = cpus
        return self

    def with_gpus(self, gpus):
        self.gpus = gpus
        return self

    def with_mem(self, mem):
        self.mem = mem
        return self


def count(it):
    return sum(1 for _ in it)


def few(items, n):
    """`n` of them at random, each as likely as any other."""
    chance = random.Random(n)
    held = []
    for seen, item in enumerate(items):
        if seen < n:
            held.append(item)
        else:
            at = chance.randrange(seen + 1)
            if at < n:
                held[at] = item
    return held


def place():
    """The user's line that is at work: `words.py:7 reduceByKey`."""
    frame, called = sys._getframe(2), "?"
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_package):
            return "%s:%d %s" % (os.path.basename(name), frame.f_lineno, called)
        if not frame.f_code.co_name.startswith(("_", "<")):
            called = frame.f_code.co_name
        frame = frame.f_back
    return called


from . import output  # noqa: E402
from . import made  # noqa: E402
from .made import ParallelCollection, UnionRDD  # noqa: E402, F401
