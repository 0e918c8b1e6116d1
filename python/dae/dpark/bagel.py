"""Bagel: computations on graphs in supersteps, as Pregel has them.

In each step every vertex gets the messages that were sent to it in the last one, and answers with itself and messages to others.
`vertices` is an RDD of (id, Vertex), `messages` one of (id of the vertex, message).
"""

import operator
import sys


class Vertex:
    def __init__(self, id, value, outEdges, active):
        self.id, self.value, self.outEdges, self.active = id, value, outEdges, active

    def __repr__(self):
        return "<Vertex(%s, %s, %s)>" % (self.id, self.value, self.active)


class Edge:
    def __init__(self, target_id, value=0):
        self.target_id, self.value = target_id, value

    def __repr__(self):
        return "<Edge(%s, %s)>" % (self.target_id, self.value)


class Message:
    def __init__(self, target_id, value):
        self.target_id, self.value = target_id, value

    def __repr__(self):
        return "<Message(%s, %s)>" % (self.target_id, self.value)


class Combiner:
    """What becomes of several messages to one vertex."""

    def createCombiner(self, message):
        raise NotImplementedError

    def mergeValue(self, combined, message):
        raise NotImplementedError

    def mergeCombiners(self, one, two):
        raise NotImplementedError


class BasicCombiner(Combiner):
    def __init__(self, op):
        self.op = op

    def createCombiner(self, message):
        return message

    def mergeValue(self, combined, message):
        return self.op(combined, message)

    mergeCombiners = mergeValue


DefaultValueCombiner = BasicCombiner(operator.add)


class DefaultListCombiner(Combiner):
    def createCombiner(self, message):
        return [message]

    def mergeValue(self, combined, message):
        return combined + [message]

    def mergeCombiners(self, one, two):
        return one + two


class Aggregator:
    """Something of all vertices that each is told in the next step."""

    def createAggregator(self, vertex):
        raise NotImplementedError

    def mergeAggregators(self, one, two):
        raise NotImplementedError


class Bagel:
    @classmethod
    def run(cls, ctx, verts, msgs, compute, combiner=DefaultValueCombiner, aggregator=None, maxSuperstep=sys.maxsize,
            numSplits=None, checkpointDir=None):
        """`compute(vertex, [combined message] or [], aggregated, step)` -> (vertex, [(id, message)]); ends when no vertex is active
        and no message was sent."""
        ctx.init()
        checkpointDir = checkpointDir or ctx.options.checkpoint_dir
        for step in range(maxSuperstep):
            aggregated = None
            if aggregator:
                aggregated = verts.map(lambda pair: aggregator.createAggregator(pair[1])).reduce(aggregator.mergeAggregators)
            grouped = verts.groupWith(msgs.combineByKey(combiner, numSplits), numSplits=numSplits)
            sent, active = ctx.accumulator(0), ctx.accumulator(0)

            def work(groups, aggregated=aggregated, step=step, sent=sent, active=active):
                for vertex in groups[0][:1]:
                    vertex, messages = compute(vertex, groups[1], aggregated, step)
                    messages = list(messages)
                    sent.add(len(messages))
                    active.add(int(vertex.active))
                    yield vertex, messages

            done = grouped.flatMapValue(work)
            done = done.checkpoint(checkpointDir) if checkpointDir else done.cache()
            done.count()
            verts = done.mapValue(lambda found: found[0])
            msgs = done.flatMap(lambda pair: pair[1][1])
            if not sent.value and not active.value:
                break
        return verts
