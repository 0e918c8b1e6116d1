"""Runs the tasks on a Dask cluster: the same stages, with what lies between them held by the cluster's workers.

The package is sent to the workers as a zip, functions of the script as cloudpickle has them.
"""

import os
import pickle
import tempfile
import zipfile

from . import accumulator, progress, serialize, stages, task
from .dependency import Narrow

# How often a task is tried again.
RETRIES = 2


class NoDask(ImportError):
    pass


def connect(ctx):
    if ctx.cluster is None:
        try:
            from distributed import Client
        except ImportError as error:
            raise NoDask(
                "`%s` is a Dask cluster, and the app has no client for it: dae install 'dask[distributed]'" % ctx.master
            ) from error
        ctx.cluster = Client("tcp://" + ctx.master[len("dask://") :], timeout="10s", set_as_default=False)
        with tempfile.TemporaryDirectory() as folder:
            ctx.cluster.upload_file(packed(folder))
    return ctx.cluster


def packed(folder):
    """This package as a zip that a worker can import."""
    path = os.path.join(folder, "dae_dpark.zip")
    package = os.path.dirname(os.path.abspath(__file__))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("dae/__init__.py", "")
        for root, _, names in os.walk(package):
            for name in names:
                if name.endswith(".py"):
                    source = os.path.join(root, name)
                    file.write(source, os.path.relpath(source, os.path.dirname(os.path.dirname(package))))
    return path


def job(ctx, rdd, func, partitions):
    client = connect(ctx)
    shuffles = stages.pending(rdd)
    for number, shuffle in enumerate(shuffles, 1):
        source = shuffle.rdd
        futures = stage(client, source, range(len(source)), Write(shuffle))
        shuffle.outputs = left_there(client, futures, "%d/%d %s" % (number, len(shuffles) + 1, source.place))
    futures = stage(client, rdd, partitions, func)
    yield from answers(futures, "%d/%d %s" % (len(shuffles) + 1, len(shuffles) + 1, rdd.place))


class Write:
    """The writing side of a shuffle."""

    def __init__(self, shuffle):
        self.shuffle = shuffle

    def __call__(self, records):
        return self.shuffle.blobs(records)


def stage(client, rdd, indexes, func):
    """The futures of (func(records), what was added) of each partition."""
    for kept in cached_below(rdd):
        if not hasattr(kept, "futures"):
            kept.futures = left_there(client, submitted(client, kept, range(len(kept)), Keep()), kept.place)
    return submitted(client, rdd, indexes, func)


class Keep:
    """What is cached: its records as bytes."""

    def __call__(self, records):
        return pickle.dumps(list(records), pickle.HIGHEST_PROTOCOL)


def submitted(client, rdd, indexes, func):
    payload = client.scatter(Payload(serialize.dumps((rdd, func))), broadcast=True, hash=False)
    found = []
    for index in indexes:
        split = rdd.splits[index]
        inputs = inputs_of(client, rdd, split)
        found.append(client.submit(work, payload, serialize.dumps(split), inputs, pure=False, retries=RETRIES))
    return found


class Payload:
    """Bytes that are sent once."""

    def __init__(self, data):
        self.data = data


def work(payload, split, inputs):
    """A task, on a worker."""
    rdd, func = pickle.loads(payload.data)
    with task.running(task.Task(dict(inputs))) as here:
        value = func(rdd.iterator(pickle.loads(split)))
    return value, here.added


def left_there(client, futures, title):
    """Waits for the tasks; their values stay on the cluster for as long as what is returned."""
    values = [client.submit(part, future, 0, pure=False) for future in futures]
    for added in told([client.submit(part, future, 1, pure=False) for future in futures], title):
        accumulator.merge(added)
    return values


def answers(futures, title):
    for value, added in told(futures, title):
        accumulator.merge(added)
        yield value


def part(parts, index):
    return parts[index]


def told(futures, title):
    """The results in their order."""
    shown, whole = progress.Stage(title, len(futures)), False
    try:
        for future in futures:
            while not future.done():
                try:
                    future.result(timeout=0.2)
                except TimeoutError:
                    shown.draw()
                except Exception:
                    break
            value = future.result()
            shown.one_done()
            yield value
        whole = True
    finally:
        if not whole:
            for future in futures:
                future.cancel()
        shown.end(whole)


def cached_below(rdd):
    """Those it is computed from, up to a shuffle, that are to be kept, the farthest first; itself too."""
    found, seen, stack = [], set(), [rdd]
    while stack:
        one = stack.pop()
        if one.id in seen:
            continue
        seen.add(one.id)
        if one.kept and not one.kept_for_good:
            found.append(one)
        stack.extend(dependency.rdd for dependency in one.dependencies if isinstance(dependency, Narrow))
    return sorted(found, key=lambda one: one.id)


def inputs_of(client, rdd, split):
    """What the task reads: a list of (what it asks by, future or futures)."""
    found, stack = {}, [(rdd, split)]
    while stack:
        one, here = stack.pop()
        if hasattr(one, "futures"):
            found[one.id, here.index] = one.futures[here.index]
            continue
        for shuffle in one.dependencies:
            if not isinstance(shuffle, Narrow) and shuffle.id not in found:
                found[shuffle.id] = [client.submit(part, output, here.index, pure=False) for output in shuffle.outputs]
        stack.extend(one.parents(here))
    return list(found.items())
