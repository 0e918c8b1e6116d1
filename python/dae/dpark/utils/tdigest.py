"""Quantiles of any number of values in little memory: a merging t-digest (Dunning and Ertl, 2019), exact for few."""

import itertools
import math

# The more, the closer.
SIZE = 200
FEW = 2000


class TDigest:
    def __init__(self, values=()):
        # (mean, weight), in order once it is compressed.
        self.centroids = []
        for value in values:
            self.add(value)

    def add(self, value, weight=1):
        self.centroids.append((value, weight))
        if len(self.centroids) > 5 * FEW:
            self.compress()

    def __add__(self, other):
        both = TDigest()
        both.centroids = self.centroids + other.centroids
        both.compress()
        return both

    def compress(self):
        self.centroids.sort()
        if len(self.centroids) <= FEW:
            return
        total = sum(weight for _, weight in self.centroids)
        merged, before = [], 0
        mean, weight = self.centroids[0]
        limit = self.reach(0, total)
        for other, more in self.centroids[1:]:
            if before + weight + more <= limit:
                weight += more
                mean += (other - mean) * more / weight
            else:
                merged.append((mean, weight))
                before += weight
                limit = self.reach(before, total)
                mean, weight = other, more
        merged.append((mean, weight))
        self.centroids = merged

    @staticmethod
    def reach(before, total):
        """How far the centroid that begins here may go: little at the ends, far in the middle."""
        at = math.asin(2 * before / total - 1) / (2 * math.pi) * SIZE + 1
        return total if at >= SIZE / 4 else total * (math.sin(at * 2 * math.pi / SIZE) + 1) / 2

    def quantile(self, share):
        self.compress()
        if not self.centroids:
            return math.nan
        ends = itertools.accumulate(weight for _, weight in self.centroids)
        middles = [(end - weight / 2, mean) for end, (mean, weight) in zip(ends, self.centroids)]
        wanted = share * sum(weight for _, weight in self.centroids)
        last = middles[0]
        if wanted <= last[0]:
            return last[1]
        for middle in middles[1:]:
            if wanted <= middle[0]:
                part = (wanted - last[0]) / (middle[0] - last[0])
                return last[1] + part * (middle[1] - last[1])
            last = middle
        return last[1]
