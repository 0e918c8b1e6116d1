"""Runs tasks in forked processes of this machine.

A stage's processes are forked when it begins, so that they have whatever the tasks need, functions included, without its being
sent; only results are. The script's process hands out one task after the other, forks anew in place of a process that died, and
ends them all however the stage ends. A process ends by itself when the script's does.

In a gevent worker the child gets an event loop of its own: the greenlets that it has inherited, requests among them, never run there.
"""

import gc
import os
import pickle
import selectors
import signal
import stat
import sys
import traceback
import warnings

from . import accumulator, memory, store, task

# How often a task is begun before its failure is told.
TRIES = 3
# Larger results go through a file.
IN_PIPE = 1 << 15


class TaskFailed(Exception):
    """A task whose process died."""


class Remote(Exception):
    """What a task's process had to say: the cause of what the script sees."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return "\n" + self.text


def unpatched(module, name):
    """A function as it was before gevent took its place."""
    if "gevent.monkey" in sys.modules:
        return sys.modules["gevent.monkey"].get_original(module.__name__, name)
    return getattr(module, name)


class Worker:
    """A forked process, as the script's process knows it."""

    def __init__(self, work, options):
        take, self.give = os.pipe()
        self.results, tell = os.pipe()
        self.task = None
        for stream in (sys.stdout, sys.stderr):
            flush(stream)
        with warnings.catch_warnings():
            # Of threads, which the child has none of.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = unpatched(os, "fork")()
        if self.pid == 0:
            try:
                os.close(self.give)
                os.close(self.results)
                child(work, options, take, tell)
            finally:
                os._exit(1)
        os.close(take)
        os.close(tell)

    def begin(self, index):
        self.task = index
        try:
            os.write(self.give, index.to_bytes(8, "big"))
        except BrokenPipeError:
            # It has died; its results end.
            pass

    def answer(self):
        """What became of its task; None when the process has died."""
        size = self.read(8)
        data = size and self.read(int.from_bytes(size, "big"))
        return pickle.loads(data) if data else None

    def read(self, size):
        data = b""
        while len(data) < size:
            part = os.read(self.results, size - len(data))
            if not part:
                return b""
            data += part
        return data

    def end(self):
        """Ends it and what it started; how it had ended, as a phrase."""
        for number in (self.pid, -self.pid):
            try:
                os.kill(number, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        os.close(self.give)
        os.close(self.results)
        try:
            status = unpatched(os, "waitpid")(self.pid, 0)[1]
        except ChildProcessError:
            # Somebody else has asked for it.
            return "has died"
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            return "was ended by %s%s" % (name, " (is there enough memory?)" if name == "SIGKILL" else "")
        return "has ended with exit code %d" % os.WEXITSTATUS(status)


def flush(stream):
    try:
        stream.flush()
    except (AttributeError, ValueError, OSError):
        pass


def run(work, indexes, options, stage):
    """Yields (index, result) of `work(index)` for each, as they come. `options` has `parallel` and `mem`."""
    waiting, tries = list(indexes)[::-1], {}
    count = min(options.parallel, len(waiting))
    # What is there now is not looked at again, and so stays shared memory.
    gc.freeze()
    selector = selectors.DefaultSelector()
    workers = []

    def hire():
        worker = Worker(work, options)
        workers.append(worker)
        selector.register(worker.results, selectors.EVENT_READ, worker)
        worker.begin(waiting.pop())

    def dismiss(worker):
        selector.unregister(worker.results)
        workers.remove(worker)
        return worker.end()

    try:
        # Made here, so that the children find it.
        store.store()
        while waiting and len(workers) < count:
            hire()
        while workers:
            stage.draw()
            for key, _ in selector.select(0.2):
                worker = key.data
                answer = worker.answer()
                index, worker.task = worker.task, None
                if answer is None:
                    how = dismiss(worker)
                    error = TaskFailed("the process of task %d of `%s` %s" % (index, stage.title, how))
                else:
                    error = answer.get("error")
                if error is not None:
                    tries[index] = tries.get(index, 0) + 1
                    if tries[index] >= TRIES:
                        raise error
                    stage.tried_again += 1
                    waiting.append(index)
                else:
                    accumulator.merge(answer["added"])
                    stage.one_done()
                if answer is not None:
                    if waiting:
                        worker.begin(waiting.pop())
                    else:
                        dismiss(worker)
                if error is None:
                    yield index, value_of(answer)
            while waiting and len(workers) < count:
                hire()
    finally:
        for worker in list(workers):
            dismiss(worker)
        selector.close()
        gc.unfreeze()


def value_of(answer):
    if "path" not in answer:
        return answer["value"]
    # Read when it is asked for: the next one may be in the way.
    return Filed(answer["path"])


class Filed:
    """A result in a file, which is gone once it is read."""

    def __init__(self, path):
        self.paths = [path]
        store.keep_for(self, self.paths)

    def read(self):
        with open(self.paths[0], "rb") as file:
            return pickle.load(file)


def child(work, options, take, tell):
    """The forked process: does what it is told until nobody tells it any more."""
    from dae import lifeline

    lifeline.hold()
    os.setpgid(0, 0)
    task.become_worker()
    leave_parents_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        unpatched(signal, "signal")(number, signal.SIG_DFL)
    let_go()
    memory.limit(memory.share(options.parallel, options.mem))
    # Records come and go by the million, and hardly any are in a circle.
    gc.set_threshold(50_000, 20, 50)
    while index := os.read(take, 8):
        data = done(work, int.from_bytes(index, "big"))
        for stream in (sys.stdout, sys.stderr):
            flush(stream)
        data = len(data).to_bytes(8, "big") + data
        while data:
            data = data[os.write(tell, data) :]
    os._exit(0)


def done(work, index):
    """What became of the task, as it is told."""
    try:
        with task.running(task.Task()) as here:
            value = work(index)
        data = pickle.dumps({"value": value, "added": here.added}, pickle.HIGHEST_PROTOCOL)
        if len(data) <= IN_PIPE:
            return data
        path = store.new_path("result")
        with open(path, "wb") as file:
            pickle.dump(value, file, pickle.HIGHEST_PROTOCOL)
        return pickle.dumps({"path": path, "added": here.added})
    except BaseException as error:
        shown = traceback.format_exc()
        if not isinstance(error, Exception):
            # What would end the script is told as what it is.
            error = TaskFailed("%s: %s" % (type(error).__name__, error))
        try:
            error.__cause__ = error.__context__ = None
            failed = pickle.dumps({"error": Raised(error, shown)})
            pickle.loads(failed)
        except Exception:
            failed = pickle.dumps({"error": Raised(TaskFailed("%s: %s" % (type(error).__name__, error)), shown)})
        return failed


class Raised:
    """An exception with its traceback; loaded, it is the exception, and the traceback its cause."""

    def __init__(self, error, text):
        self.error, self.text = error, text

    def __reduce__(self):
        return raised, (self.error, self.text)


def raised(error, text):
    error.__cause__ = Remote(text)
    return error


def leave_parents_loop():
    """A loop of gevent's for this process alone."""
    if "gevent.hub" not in sys.modules:
        return
    from gevent import hub
    from gevent._hub_local import set_hub, set_loop

    set_loop(None)
    set_hub(hub.Hub(default=False))


def let_go():
    """A connection of the parent's is not this process's to use or to keep open; nor is its keyboard, for which it would wait."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    for name in os.listdir("/dev/fd"):
        number = int(name)
        try:
            if number > 2 and stat.S_ISSOCK(os.fstat(number).st_mode):
                os.dup2(nothing, number)
        except OSError:
            # The one the list was read with.
            pass
