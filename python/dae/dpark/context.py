"""A context: what RDDs are made from, and where their computations run."""

import atexit
import glob
import logging
import os
import weakref

from . import conf, made, memory, options, processes, progress, stages, store, task, textfiles
from .accumulator import Accumulator
from .broadcast import Broadcast

log = logging.getLogger("dpark")
_contexts = weakref.WeakSet()
# Of jobs in this very process, as `local` has it.
LOCAL = 2


def processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class DparkContext:
    """`master`: local (in this process, one task after the other: for a debugger), process, or dask://host:port; otherwise what
    the command line says, then `DAE_DPARK`, then process."""

    options = None

    def __init__(self, master=None):
        self.master = master
        self.initialized = self.started = False
        self.defaultParallelism = self.defaultMinSplits = LOCAL
        self.cluster = None
        _contexts.add(self)

    def init(self):
        if self.initialized:
            return
        if DparkContext.options is None:
            DparkContext.options = options.read()
        self.master = self.chosen()
        if self.master != "local":
            self.defaultParallelism = self.options.parallel or max(LOCAL, processors())
        elif self.options.parallel:
            self.defaultParallelism = self.options.parallel
        self.defaultMinSplits = max(self.defaultParallelism, 2)
        self.initialized = True

    def chosen(self):
        master = self.master or self.options.master or os.environ.get("DAE_DPARK") or "process"
        if master in ("local", "process") or master.startswith("dask://"):
            return master
        if master.startswith("spark"):
            raise ValueError("`%s`: there is no engine for Spark; write local, process or dask://host:port" % master)
        log.warning("there is no Mesos (`%s`) any more: the job runs in processes of this machine", master)
        return "process"

    @property
    def is_local(self):
        self.init()
        return self.master == "local"

    @staticmethod
    def setLogLevel(level):
        log.setLevel(level)

    def start(self):
        self.init()
        self.started = True

    def clear(self):
        """Nothing is kept that an RDD does not hold."""

    def stop(self):
        if self.cluster is not None:
            self.cluster.close()
            self.cluster = None
        self.started = False

    def __getstate__(self):
        raise ValueError("a context is the script's own: a task cannot have it")

    # From where the data comes.

    def parallelize(self, seq, numSlices=None):
        self.init()
        if not hasattr(seq, "__len__"):
            seq = list(seq)
        return made.ParallelCollection(self, seq, self.defaultParallelism if numSlices is None else numSlices)

    makeRDD = parallelize

    def textFile(self, path, ext="", followLink=True, maxdepth=0, cls=textfiles.TextFileRDD, *args, **kwargs):
        """The lines of a file, of all files of a folder, of those that a pattern or a list names; .gz and .bz2 are unpacked."""
        if isinstance(path, (list, tuple)):
            return self.union([self.textFile(one, ext, followLink, maxdepth, cls, *args, **kwargs) for one in path])
        path = os.path.abspath(os.fspath(path))
        if os.path.isdir(path):
            files = textfiles.below(path, ext, followLink, maxdepth)
            return self.union([cls.of(self, file, *args, **kwargs) for file in files])
        if glob.has_magic(path) and not os.path.exists(path):
            found = sorted(glob.glob(path, recursive=True))
            if not found:
                raise FileNotFoundError("no file is like `%s`" % path)
            return self.textFile(found, ext, followLink, maxdepth, cls, *args, **kwargs)
        return cls.of(self, path, *args, **kwargs)

    def partialTextFile(self, path, begin, end, splitSize=None, numSplits=None):
        return textfiles.PartialTextFileRDD(self, path, begin, end, splitSize, numSplits)

    def bzip2File(self, path, *args, **kwargs):
        return self.textFile(path, *args, cls=textfiles.Bzip2FileRDD, **kwargs)

    def csvFile(self, path, dialect="excel", *args, **kwargs):
        return self.textFile(path, *args, **kwargs).fromCsv(dialect)

    def binaryFile(self, path, fmt=None, length=None, *args, **kwargs):
        from .records import BinaryFileRDD

        return self.textFile(path, *args, cls=BinaryFileRDD, fmt=fmt, length=length, **kwargs)

    def tableFile(self, path, *args, **kwargs):
        from .records import TableFileRDD

        return self.textFile(path, *args, cls=TableFileRDD, **kwargs)

    def tfRecordsFile(self, path, *args, **kwargs):
        from .records import TFRecordsRDD

        return self.textFile(path, *args, cls=TFRecordsRDD, **kwargs)

    def table(self, path, **kwargs):
        from .table import field_names

        return self.tableFile(path, **kwargs).asTable(field_names(path))

    def tabular(self, path, fields=None, taskMemory=None):
        from .tabular import TabularRDD

        return TabularRDD(self, path, fields)

    def beansdb(self, path, depth=None, filter=None, fullscan=False, raw=False, only_latest=False):
        """(key, (value, version, time)) of the data files of a beansdb."""
        from .utils import beansdb

        return beansdb.read(self, path, depth, filter, raw, only_latest)

    def union(self, rdds):
        return made.UnionRDD(self, list(rdds))

    def zip(self, rdds):
        return made.ZippedRDD(self, list(rdds))

    def accumulator(self, init=0, param=None):
        return Accumulator(init, param)

    def broadcast(self, value):
        return Broadcast(value)

    # How it is computed.

    def runJob(self, rdd, func, partitions=None, allowLocal=False):
        """Yields `func(records)` of each partition, in their order."""
        self.start()
        partitions = list(range(len(rdd)) if partitions is None else partitions)
        if self.master.startswith("dask://") and task.current() is None:
            from . import dask

            yield from dask.job(self, rdd, func, partitions)
        else:
            yield from self.job(rdd, func, partitions)
        for one in stages.lineage(rdd):
            if one.kept_for_good and one.dependencies:
                one.finish_checkpoint()

    def job(self, rdd, func, partitions):
        shuffles = stages.pending(rdd)
        for number, shuffle in enumerate(shuffles, 1):
            title = "%d/%d %s" % (number, len(shuffles) + 1, shuffle.rdd.place)
            splits = shuffle.rdd.splits

            def write(index, shuffle=shuffle, splits=splits):
                return shuffle.write(shuffle.rdd, splits[index])

            shuffle.keep([opened(output) for output in self.in_order(write, range(len(splits)), title)])

        def answer(index):
            return func(rdd.iterator(rdd.splits[index]))

        yield from map(opened, self.in_order(answer, partitions, "%d/%d %s" % (len(shuffles) + 1, len(shuffles) + 1, rdd.place)))

    def in_order(self, work, indexes, title):
        """The results of one stage, in the order of `indexes`."""
        if self.master == "local" or task.current() is not None:
            memory.limit(memory.share(1, self.options.mem))
            for index in indexes:
                yield here(work, index)
            return
        if not indexes:
            return
        store.store()
        stage = progress.Stage(title, len(indexes))
        whole, come, awaited = False, {}, iter(indexes)
        wanted = next(awaited)
        shared = Shared(self.options.parallel or processors(), self.options.mem)
        results = processes.run(work, indexes, shared, stage)
        try:
            for index, result in results:
                come[index] = result
                while wanted in come:
                    yield come.pop(wanted)
                    wanted = next(awaited, None)
            whole = True
        finally:
            results.close()
            stage.end(whole)


class Shared:
    """What the processes of a stage share between them."""

    def __init__(self, parallel, mem):
        self.parallel, self.mem = parallel, mem


def opened(result):
    return result.read() if isinstance(result, processes.Filed) else result


def here(work, index):
    """A task in this very process."""
    from . import accumulator

    if task.current() is not None:
        # Within a task: what it adds is that task's.
        return work(index)
    with task.running(task.Task()) as running:
        result = work(index)
    accumulator.merge(running.added)
    return result


def _shutdown():
    """Ends every context, as at the end of the process."""
    for context in list(_contexts):
        context.stop()


atexit.register(_shutdown)
__all__ = ["DparkContext", "conf"]
