"""Brings what belongs together into one partition: each task of one side writes a file, in which each task of the other side
finds its part. What does not fit into memory goes on, on disk, on either side.
"""

import itertools
import os
import pickle

from . import memory, task
from .hashing import portable_hash
from .store import CHUNK, chunks, keep_for, new_path

_numbers = itertools.count(1)
# Into how many parts a partition that is too big is divided, and how often.
PARTS = 16
DEEPEST = 4


class Shuffle:
    """The wide dependency on `rdd`. Without an aggregator the pairs stay as they are."""

    def __init__(self, rdd, aggregator, partitioner):
        self.id = next(_numbers)
        self.rdd, self.aggregator, self.partitioner = rdd, aggregator, partitioner
        # For each partition of `rdd`: [(path, where each part of it begins)].
        self.outputs = None
        self.paths = []
        keep_for(self, self.paths)

    def __getstate__(self):
        # For the task that reads, on another machine: it is handed what it reads.
        return {"id": self.id, "rdd": None, "aggregator": self.aggregator, "partitioner": self.partitioner, "outputs": None}

    def done(self):
        return self.outputs is not None

    def keep(self, outputs):
        self.outputs = outputs
        self.paths.extend(path for output in outputs for path, _ in output)

    def write(self, rdd, split):
        """One task of the writing side; the files of its output."""
        return [to_file(buckets) for buckets in self.buckets(rdd.iterator(split))]

    def blobs(self, records):
        """The same for another machine: of each part its pairs as bytes."""
        parts = [[] for _ in range(self.partitioner.numPartitions)]
        for buckets in self.buckets(records):
            for part, bucket in zip(parts, buckets):
                part.extend(map(dumps, chunks(bucket)))
        return parts

    def buckets(self, records):
        """What the task has, by part: once, or as often as memory is full."""
        gather = self.combined if self.aggregator else plain
        count, part_of = self.partitioner.numPartitions, self.partitioner.getPartition
        for pairs in gather(records):
            buckets = [[] for _ in range(count)]
            for pair in pairs:
                buckets[part_of(pair[0])].append(pair)
            yield buckets

    def combined(self, pairs):
        create, merge = self.aggregator.createCombiner, self.aggregator.mergeValue
        gauge, found, seen, some = memory.Gauge(), {}, 0, memory.Gauge.STEP
        pairs = iter(pairs)
        while some == gauge.STEP:
            some = 0
            for some, (key, value) in enumerate(itertools.islice(pairs, gauge.STEP), 1):
                if key in found:
                    found[key] = merge(found[key], value)
                else:
                    found[key] = create(value)
            seen += some
            if gauge.full(seen):
                yield found.items()
                found, seen = {}, 0
        yield found.items()

    def read(self, index):
        """What was written for the partition `index`, in lists of pairs, in the order of the tasks that wrote it."""
        here = task.current()
        if here is not None and here.inputs is not None:
            for part in here.inputs[self.id]:
                yield from map(pickle.loads, part)
            return
        for output in self.outputs:
            for path, begins in output:
                begin, end = begins[index], begins[index + 1]
                if begin == end:
                    continue
                with open(path, "rb") as file:
                    file.seek(begin)
                    while file.tell() < end:
                        yield pickle.load(file)

    def merged(self, index):
        """The partition, its keys combined."""
        return merge(self.read(index), self.aggregator.mergeCombiners)


def plain(pairs):
    return chunks(pairs, 10 * memory.Gauge.STEP)


def dumps(chunk):
    return pickle.dumps(chunk, pickle.HIGHEST_PROTOCOL)


def to_file(buckets):
    path = new_path("shuffle")
    begins = [0]
    with open(path, "wb") as file:
        for bucket in buckets:
            for chunk in chunks(bucket):
                pickle.dump(chunk, file, pickle.HIGHEST_PROTOCOL)
            begins.append(file.tell())
    return path, begins


def merge(chunked, combine, depth=0):
    """Combines pairs that come in lists."""
    gauge, found, seen = memory.Gauge(), {}, 0
    for chunk in chunked:
        for key, value in chunk:
            if key in found:
                found[key] = combine(found[key], value)
            else:
                found[key] = value
        seen += len(chunk)
        if depth < DEEPEST and gauge.full(seen):
            held, found = found, None
            parts = divided(held, lambda: held.items(), chunked, depth)
            return itertools.chain.from_iterable(merge(part, combine, depth + 1) for part in parts)
    return found.items()


def grouped(sources, depth=0):
    """Of several sources of lists of (key, values), the values of each key, by source."""
    return group_tagged(_tagged(sources), len(sources), depth)


def _tagged(sources):
    for number, source in enumerate(sources):
        for chunk in source:
            yield [(key, number, values) for key, values in chunk]


def group_tagged(chunked, count, depth):
    gauge, found, seen = memory.Gauge(), {}, 0
    for chunk in chunked:
        for key, number, values in chunk:
            groups = found.get(key)
            if groups is None:
                groups = found[key] = tuple([] for _ in range(count))
            groups[number].extend(values)
        seen += len(chunk)
        if depth < DEEPEST and gauge.full(seen):
            held, found = found, None

            def flat():
                for key, groups in held.items():
                    for number, values in enumerate(groups):
                        if values:
                            yield key, number, values

            parts = divided(held, flat, chunked, depth)
            return itertools.chain.from_iterable(group_tagged(part, count, depth + 1) for part in parts)
    return found.items()


def divided(held, first, rest, depth):
    """Puts what is held, and all that comes, on disk in parts by the key; each part is then read by itself, in the old order."""
    paths = [new_path("part") for _ in range(PARTS)]
    files = [open(path, "wb") for path in paths]

    def put(items):
        parts = [[] for _ in range(PARTS)]
        for item in items:
            # Other bits of the hash than those that brought it here.
            parts[(portable_hash(item[0]) * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 4 * depth + 8 & PARTS - 1].append(item)
        for part, file in zip(parts, files):
            if part:
                pickle.dump(part, file, pickle.HIGHEST_PROTOCOL)

    for chunk in chunks(first()):
        put(chunk)
    held.clear()
    for chunk in rest:
        put(chunk)
    for file in files:
        file.close()
    return (taken(path) for path in paths)


def taken(path):
    """The lists in a file, which is gone then."""
    with open(path, "rb") as file:
        os.remove(path)
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return


def in_order(items, key=None, reverse=False):
    """Sorts; what does not fit into memory goes to disk in sorted runs."""
    import heapq

    gauge, held, runs = memory.Gauge(), [], []
    for chunk in chunks(items, gauge.STEP):
        held.extend(chunk)
        if gauge.full(len(held)):
            held.sort(key=key, reverse=reverse)
            path = new_path("run")
            with open(path, "wb") as file:
                for part in chunks(held, CHUNK):
                    pickle.dump(part, file, pickle.HIGHEST_PROTOCOL)
            runs.append(path)
            held = []
    held.sort(key=key, reverse=reverse)
    if not runs:
        return held
    streams = [itertools.chain.from_iterable(taken(path)) for path in runs]
    return heapq.merge(*streams, held, key=key, reverse=reverse)
