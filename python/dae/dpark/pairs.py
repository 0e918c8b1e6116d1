"""What an RDD of pairs, (key, value), can do besides."""

import collections
import itertools

from .dependency import Aggregator, GroupByAggregator, ReduceAggregator, TopAggregator


class Pairs:
    def combineByKey(self, aggregator, splits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        from .made import ShuffledRDD

        if splits is None:
            splits = min(self.ctx.defaultMinSplits, len(self))
        return ShuffledRDD(self, aggregator, self.by_hash(splits, fixSkew))

    def reduceByKey(self, func, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        return self.combineByKey(ReduceAggregator(func), numSplits, fixSkew=fixSkew)

    def groupByKey(self, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        return self.combineByKey(GroupByAggregator(), numSplits, fixSkew=fixSkew)

    def partitionByKey(self, numSplits=None, taskMemory=None, rddconf=None):
        return self.groupByKey(numSplits).flatMapValue(lambda values: values)

    def reduceByKeyToDriver(self, func):
        def merged(all, pairs):
            for key, value in pairs:
                all[key] = func(all[key], value) if key in all else value
            return all

        return self.aggregate({}, lambda all, pair: merged(all, [pair]), lambda all, more: merged(all, more.items()))

    def topByKey(self, top_n, order_func=None, reverse=False, num_splits=None, task_memory=None, fixSkew=-1):
        """The first `top_n` values of each key in ascending order, or descending; of equals those that came first."""
        aggregator = TopAggregator(top_n, order_func, reverse)
        return self.combineByKey(aggregator, num_splits, fixSkew=fixSkew).mapValue(aggregator.top)

    def update(self, other, replace_only=False, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        """The values of `other` in place of those here; with `replace_only` no keys are added."""
        both = self.mapValue(lambda v: (v, True, False)).union(other.mapValue(lambda v: (v, False, True)))

        def newer(one, two):
            value = two[0] if two[2] and not one[2] else one[0]
            return value, one[1] or two[1], one[2] or two[2]

        rdd = both.reduceByKey(newer, numSplits, fixSkew=fixSkew)
        if replace_only:
            rdd = rdd.filter(lambda pair: pair[1][1])
        return rdd.mapValue(lambda found: found[0])

    def groupWith(self, others, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        """(key, (values here, values of the first other, ...))"""
        from .made import CoGroupedRDD

        others = list(others) if isinstance(others, (list, tuple)) else [others]
        if numSplits is None:
            numSplits = self.partitioner.numPartitions if self.partitioner else self.ctx.defaultParallelism
        return CoGroupedRDD([self, *others], self.by_hash(numSplits, fixSkew, others))

    cogroup = groupWith

    def join(self, other, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        return self._join(other, False, False, numSplits, fixSkew)

    def leftOuterJoin(self, other, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        return self._join(other, True, False, numSplits, fixSkew)

    def rightOuterJoin(self, other, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        return self._join(other, False, True, numSplits, fixSkew)

    def outerJoin(self, other, numSplits=None, taskMemory=None, fixSkew=-1, rddconf=None):
        return self._join(other, True, True, numSplits, fixSkew)

    def _join(self, other, left, right, numSplits, fixSkew):
        def joined(groups):
            ours, theirs = groups
            if left and not theirs:
                theirs = [None]
            if right and not ours:
                ours = [None]
            return itertools.product(ours, theirs)

        return self.cogroup(other, numSplits, fixSkew=fixSkew).flatMapValue(joined)

    def innerJoin(self, smallRdd):
        """A join with something small, which every task has as a whole."""
        values = collections.defaultdict(list)
        for key, value in smallRdd:
            values[key].append(value)
        held = self.ctx.broadcast(dict(values))

        def joined(pair):
            key, value = pair
            return [(key, (value, other)) for other in held.value.get(key, ())]

        return self.flatMap(joined)

    def mapValue(self, f):
        from .made import MappedValuesRDD

        return MappedValuesRDD(self, f)

    mapValues = mapValue

    def flatMapValue(self, f):
        from .made import FlatMappedValuesRDD

        return FlatMappedValuesRDD(self, f)

    flatMapValues = flatMapValue

    def collectAsMap(self):
        return dict(iter(self))

    def countByKey(self):
        return self.map(lambda pair: pair[0]).countByValue()

    def lookup(self, key):
        """The first value of the key, or None."""

        def find(it):
            return [value for found, value in it if found == key][:1]

        if self.partitioner is None:
            return self.flatMap(lambda pair: [pair[1]] if pair[0] == key else []).first()
        found = next(iter(self.ctx.runJob(self, find, [self.partitioner.getPartition(key)])))
        return found[0] if found else None

    def adcountByKey(self, splits=None, taskMemory=None, fixSkew=-1):
        """About how many different values each key has."""
        from .utils.hyperloglog import HyperLogLog

        def add(counter, value):
            counter.add(value)
            return counter

        def merge(counter, other):
            counter.update(other)
            return counter

        counters = self.combineByKey(Aggregator(lambda v: HyperLogLog([v]), add, merge), splits, fixSkew=fixSkew)
        return counters.mapValue(len)

    def percentilesByKey(self, p, sampleRate=1.0, func=None, numSplits=None, taskMemory=None, fixSkew=-1):
        from .utils.tdigest import TDigest

        def add(digest, value):
            digest.add(value)
            return digest

        rdd = self.sampled(sampleRate)
        rdd = rdd.mapValue(func) if func else rdd
        digests = rdd.combineByKey(Aggregator(lambda v: TDigest([v]), add, lambda x, y: x + y), numSplits, fixSkew=fixSkew)
        return digests.mapValue(lambda digest: [digest.quantile(percent / 100) for percent in p])
