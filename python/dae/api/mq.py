"""Work for later: tasks that are put into a queue, and done by the workers that app.yaml names under `queues`.

    from dae.api import mq

    @mq.task(queue="default", retries=3, timeout=60)
    def send(address, text): ...

    send.delay("a@example.com", "hello")              # as soon as a worker is free
    send.apply_at(tomorrow, "a@example.com", "hello")  # not before then
    send("a@example.com", "hello")                     # here and now

The wire is beanstalkd's protocol, and the server that `DAE_QUEUE` names may be a real beanstalkd. A job is a JSON object;
what JSON has no word for travels as a pickle within it.
"""

import base64
import datetime
import importlib
import json
import os
import pickle
import sys
import threading
import time
import uuid

from dae.api.beanstalk import Client, QueueError, Timeout

__all__ = ["task", "put", "Task", "Pending", "Retry", "Failed", "QueueError", "Timeout", "client"]

# Results and idempotency keys stand in tubes of their own, one job each: any beanstalkd can keep them.
RESULT = "dae.result."
ONCE = "dae.once."
# How long a result, or the note that a key was used, is kept.
KEPT = 24 * 3600
MOST_DELAY = 2**32 - 1

_local = threading.local()


class Retry(Exception):
    """Raised by a task that wants to be tried again, in `delay` seconds where that is given."""

    def __init__(self, message="", delay=None):
        super().__init__(message)
        self.delay = delay


class Failed(Exception):
    """What `Pending.get` raises of a task that failed for good: the last line of its traceback; all of it is in `.traceback`."""

    def __init__(self, message, traceback):
        super().__init__(message)
        self.traceback = traceback


def client():
    """This thread's, or this greenlet's, own connection; a fork makes its own."""
    mine = getattr(_local, "client", None)
    if mine is None or _local.pid != os.getpid():
        mine = _local.client = Client(_address())
        _local.pid = os.getpid()
    return mine


def _address():
    address = os.environ.get("DAE_QUEUE")
    if not address:
        raise QueueError("no queue server is set (`DAE_QUEUE`): run this with `dae serve` or `dae run`")
    return address.split(",")[0]


def put(queue, body, delay=0, priority=1024, timeout=60):
    """Puts bytes or text into a queue, as they are; the job's number."""
    mine = client()
    mine.use(queue)
    return mine.put(body, priority, _seconds(delay), timeout)


def task(function=None, **options):
    """Makes a task of a function of a module. Options: `queue`, `retries`, `backoff` (seconds before the first repetition,
    doubled for each further one), `timeout` (seconds), `result` (whether what it returns is kept), `priority`, `name`."""
    if function is None:
        return lambda function: Task(function, **options)
    return Task(function, **options)


class Task:
    def __init__(
        self, function, queue="default", retries=None, backoff=1, timeout=None, result=False, priority=1024, name=None
    ):
        self.function, self.queue, self.retries, self.backoff = function, queue, retries, backoff
        self.timeout, self.result, self.priority = timeout, result, priority
        module = function.__module__
        if module == "__main__":
            # The worker cannot import that name.
            main = getattr(sys.modules["__main__"], "__file__", None)
            module = os.path.splitext(os.path.relpath(main, os.getcwd()))[0].replace(os.sep, ".") if main else module
        self.name = name or "%s:%s" % (module, function.__qualname__)
        self.__doc__, self.__name__, self.__wrapped__ = function.__doc__, function.__name__, function

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def __repr__(self):
        return "<task %s>" % self.name

    def delay(self, *args, **kwargs):
        """Does it as soon as a worker is free."""
        return self.apply(args, kwargs)

    def apply_at(self, when, *args, **kwargs):
        """Not before `when`: a datetime (without a zone by this machine's clocks), or seconds since 1970."""
        if isinstance(when, datetime.datetime):
            when = when.timestamp()
        return self.apply(args, kwargs, delay=max(0, when - time.time()))

    def apply(self, args=(), kwargs=None, delay=0, key=None, result=None, priority=None):
        """The same with all there is to say. Of several with one idempotency `key` only the first is put, for a day."""
        keep = self.result if result is None else result
        job = {"task": self.name, "id": uuid.uuid4().hex, "at": time.time()}
        job.update(_packed(list(args), kwargs or {}))
        if keep:
            job["result"] = True
        for option in ("retries", "backoff", "timeout"):
            value = getattr(self, option)
            if value is not None:
                job[option] = value
        mine = client()
        if key is not None:
            first = _first(mine, self.name + " " + key, job["id"])
            if first is not None:
                return Pending(first, None, keep)
            job["key"] = key
        mine.use(self.queue)
        text = json.dumps(job)
        number = mine.put(text, self.priority if priority is None else priority, _seconds(delay), self.timeout or 60)
        return Pending(job["id"], number, keep)


class Pending:
    """A task on its way: `id` is its own, `job` its number in the queue (None: another with the same key came first)."""

    def __init__(self, id, job, kept):
        self.id, self.job, self.kept, self.told = id, job, kept, None

    def get(self, timeout=None):
        """Waits, for `timeout` seconds at most, for what the task returned. It must have been asked for:
        `@mq.task(result=True)`. The queue hands a result out once and forgets it after a day."""
        if not self.kept:
            raise QueueError("the result of this task is not kept: write `@mq.task(result=True)`")
        if self.told is None:
            # A connection of its own: the thread's goes on putting.
            with Client(_address(), watch=[RESULT + self.id]) as mine:
                job = mine.reserve(timeout)
                mine.delete(job)
            self.told = json.loads(job.body)
        if "error" in self.told:
            raise Failed(self.told["error"], self.told["traceback"])
        return unpacked(self.told, "value")


def run(job):
    """Does one job's work: for the worker. `job` is the JSON object of `Task.apply`."""
    found = find(job["task"])
    args, kwargs = unpacked(job, "args"), unpacked(job, "kwargs")
    return found.function(*args, **kwargs)


def find(name):
    """The task of this name; its module is imported."""
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found if isinstance(found, Task) else Task(found)


def keep_result(mine, id, told):
    mine.use(RESULT + id)
    mine.put(json.dumps(dict(told, at=time.time())), ttr=5)


def tidy(mine):
    """Takes away results that nobody asked for, and notes of keys, that are older than a day."""
    for tube in mine.tubes():
        if not tube.startswith((RESULT, ONCE)):
            continue
        mine.use(tube)
        try:
            job = mine.peek_ready()
            if time.time() - json.loads(job.body)["at"] > KEPT:
                mine.delete(job)
        except (QueueError, ValueError, KeyError):
            pass
    mine.use("default")


def packed_value(value):
    return _pack("value", value)


def _packed(args, kwargs):
    return dict(_pack("args", args), **_pack("kwargs", kwargs))


def _pack(name, value):
    try:
        text = json.dumps(value)
        if json.loads(text) == value:
            return {name: value}
    except (TypeError, ValueError):
        pass
    return {name + "_pickle": base64.b64encode(pickle.dumps(value)).decode()}


def unpacked(job, name):
    if name in job:
        return job[name]
    return pickle.loads(base64.b64decode(job[name + "_pickle"]))


def _first(mine, key, id):
    """Notes that `key` was used by the task `id`; the id of one that used it before."""
    import hashlib

    tube = ONCE + hashlib.sha256(key.encode()).hexdigest()[:40]
    mine.use(tube)
    number = mine.put(json.dumps({"id": id, "at": time.time()}))
    # Whoever has the lowest number was first, however many come at once.
    while True:
        try:
            job = mine.peek_ready()
        except QueueError:
            return None
        if job.id == number:
            return None
        told = json.loads(job.body)
        if time.time() - told["at"] < KEPT:
            mine.delete(number)
            return told["id"]
        try:
            mine.delete(job.id)
        except QueueError:
            pass


def _seconds(delay):
    if isinstance(delay, datetime.timedelta):
        delay = delay.total_seconds()
    # Rounded up: never before its time.
    return min(MOST_DELAY, max(0, -int(-delay // 1)))
