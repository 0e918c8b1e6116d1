"""Cuts a computation into stages: all up to a shuffle is one, and its tasks need nothing of each other."""

from .shuffle import Shuffle


def pending(rdd):
    """The shuffles to be written before `rdd` can be computed, in an order that works."""
    found, seen, stack = [], set(), [iter(needed(rdd))]
    above = [None]
    while stack:
        dependency = next(stack[-1], None)
        if dependency is None:
            stack.pop()
            done = above.pop()
            if done is not None:
                found.append(done)
            continue
        is_shuffle = isinstance(dependency, Shuffle)
        if id(dependency) in seen or is_shuffle and dependency.done():
            continue
        seen.add(id(dependency))
        stack.append(iter(needed(dependency.rdd)))
        above.append(dependency if is_shuffle else None)
    return found


def needed(rdd):
    return [] if rdd.complete() else rdd.dependencies


def lineage(rdd):
    """It and all it is computed from, once each."""
    seen, stack = {}, [rdd]
    while stack:
        one = stack.pop()
        if one.id not in seen:
            seen[one.id] = one
            stack.extend(dependency.rdd for dependency in one.dependencies)
    return list(seen.values())
