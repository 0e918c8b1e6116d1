"""What an RDD is computed from, how values of a key are combined, and which partition a key is in."""

import bisect

from .hashing import portable_hash


class Narrow:
    """A partition is computed from some of the parent's."""

    def __init__(self, rdd):
        self.rdd = rdd


class Aggregator:
    """Combines the values of a key: the first one, one more, two combinations."""

    def __init__(self, createCombiner, mergeValue, mergeCombiners):
        self.createCombiner, self.mergeValue, self.mergeCombiners = createCombiner, mergeValue, mergeCombiners


def _same(value):
    return value


class ReduceAggregator(Aggregator):
    def __init__(self, function):
        super().__init__(_same, function, function)


class GroupByAggregator:
    def createCombiner(self, value):
        return [value]

    def mergeValue(self, values, value):
        values.append(value)
        return values

    def mergeCombiners(self, values, more):
        values.extend(more)
        return values


MergeAggregator = GroupByAggregator


class AddAggregator:
    def createCombiner(self, value):
        return value

    def mergeValue(self, sum, value):
        return sum + value

    mergeCombiners = mergeValue


class UniqAggregator:
    def createCombiner(self, value):
        return {value}

    def mergeValue(self, values, value):
        values.add(value)
        return values

    def mergeCombiners(self, values, more):
        values |= more
        return values


class TopAggregator:
    """Keeps the first `limit` values in their order; of equals those that came first."""

    def __init__(self, limit, key=None, reverse=False):
        if limit < 1:
            raise ValueError("at least one value of each key is kept, and %r was asked for" % (limit,))
        self.limit, self.key, self.reverse = limit, key, reverse

    def top(self, values):
        return sorted(values, key=self.key, reverse=self.reverse)[: self.limit]

    def createCombiner(self, value):
        return [value]

    def mergeValue(self, values, value):
        values.append(value)
        # Not at each one: sorting is what costs.
        return self.top(values) if len(values) > 2 * self.limit + 16 else values

    def mergeCombiners(self, values, more):
        return self.top(values + more)


class Partitioner:
    numPartitions = None

    def getPartition(self, key):
        raise NotImplementedError


class HashPartitioner(Partitioner):
    """By the key's hash; `thresholds` are hashes that part a skewed set evenly."""

    def __init__(self, partitions, thresholds=None):
        self.numPartitions = max(1, int(partitions))
        self.thresholds = thresholds

    def getPartition(self, key):
        if self.thresholds is None:
            return portable_hash(key) % self.numPartitions
        return bisect.bisect(self.thresholds, portable_hash(key))

    def __eq__(self, other):
        same = isinstance(other, HashPartitioner)
        return same and (self.numPartitions, self.thresholds) == (other.numPartitions, other.thresholds)

    __hash__ = None


class RangePartitioner(Partitioner):
    """By order: between `keys`."""

    def __init__(self, keys, reverse=False):
        self.keys, self.reverse = sorted(keys), reverse
        self.numPartitions = len(self.keys) + 1

    def getPartition(self, key):
        at = bisect.bisect(self.keys, key)
        return len(self.keys) - at if self.reverse else at

    def __eq__(self, other):
        return isinstance(other, RangePartitioner) and (self.keys, self.reverse) == (other.keys, other.reverse)

    __hash__ = None
