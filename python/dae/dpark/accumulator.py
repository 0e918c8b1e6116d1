"""A value that tasks add to and the script reads. A task that is tried again counts once."""

import copy
import itertools
import operator
import weakref

from . import task

_numbers = itertools.count(1)
_known = weakref.WeakValueDictionary()


class AccumulatorParam:
    def __init__(self, zero, addInPlace):
        self.zero, self.addInPlace = zero, addInPlace


def _extend(all, more):
    all.extend(more)
    return all


def _update(all, more):
    all.update(more)
    return all


numAcc = AccumulatorParam(0, operator.add)
listAcc = AccumulatorParam([], _extend)
mapAcc = AccumulatorParam({}, _update)
setAcc = AccumulatorParam(set(), _update)


class Accumulator:
    def __init__(self, initialValue=0, param=numAcc):
        self.id = next(_numbers)
        self.param = param or numAcc
        self._value = initialValue
        _known[self.id] = self

    def add(self, value):
        self.value = self.param.addInPlace(self.value, value)

    def __iadd__(self, value):
        self.add(value)
        return self

    @property
    def value(self):
        """In a task: what it has added so far."""
        here = task.current()
        if here is None:
            return self._value
        if self.id not in here.added:
            here.added[self.id] = copy.copy(self.param.zero)
        return here.added[self.id]

    @value.setter
    def value(self, value):
        here = task.current()
        if here is None:
            self._value = value
        else:
            here.added[self.id] = value

    def reset(self):
        """Back to nothing; what it was."""
        was, self.value = self.value, copy.copy(self.param.zero)
        return was

    def __reduce__(self):
        # On another machine only what the task adds matters.
        return _elsewhere, (self.id, self.param)


def _elsewhere(id, param):
    found = _known.get(id) or Accumulator.__new__(Accumulator)
    if not hasattr(found, "id"):
        found.id, found.param, found._value = id, param, copy.copy(param.zero)
    return found


def merge(added):
    """Adds what a task has added."""
    for id, value in added.items():
        if id in _known:
            _known[id].add(value)
