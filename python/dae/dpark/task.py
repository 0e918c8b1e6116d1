"""The task that runs in this thread, as what it computes with sees it."""

import contextlib
import threading

_here = threading.local()
# In a worker there is nothing but tasks.
_worker = False


class Task:
    def __init__(self, inputs=None):
        # Accumulators by number: what this task has added.
        self.added = {}
        # Where it runs on another machine: what it reads, by the number of the shuffle.
        self.inputs = inputs


def current():
    return getattr(_here, "task", None)


def in_worker():
    return _worker


def become_worker():
    global _worker
    _worker = True


@contextlib.contextmanager
def running(task):
    before = current()
    _here.task = task
    try:
        yield task
    finally:
        _here.task = before
