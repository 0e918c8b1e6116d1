"""What clients of beanstalkd's protocol and dae.api.mq do: the same with the app's own queue and with a real beanstalkd."""

import datetime
import json
import os
import subprocess
import sys
import time

import tasks
from dae.api import mq, taskqueue
from dae.api.beanstalk import Client, QueueError

ADDRESS = os.environ["DAE_QUEUE"]
HOST, _, PORT = ADDRESS.rpartition(":")
RUNTIME = os.environ["DAE_RUNTIME"]


class Worker:
    """As the crew starts it."""

    def __init__(self, queue, retries=2, timeout=30):
        told = {
            "root": os.environ["DAE_APPROOT"],
            "runtime": RUNTIME,
            "site": None,
            "environment": "SDK",
            "queue": queue,
            "retries": retries,
            "timeout": timeout,
        }
        env = dict(os.environ, DAE_BOOT=json.dumps(told))
        self.out = open("worker-%s.log" % queue, "w+")
        program = os.path.join(RUNTIME, "dae", "worker.py")
        self.process = subprocess.Popen([sys.executable, program], env=env, stdout=self.out, stderr=self.out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def said(self):
        with open(self.out.name) as log:
            return log.read()


def until(what, reached):
    deadline = time.time() + 60
    while not reached():
        assert time.time() < deadline, "never: " + what
        time.sleep(0.02)


def test_greenstalk():
    import greenstalk

    with greenstalk.Client((HOST, int(PORT)), use="green", watch="green") as client:
        one = client.put("hello", priority=5, delay=0, ttr=30)
        two = client.put("later", delay=100)
        job = client.reserve(timeout=5)
        assert (job.id, job.body) == (one, "hello")
        assert client.stats_job(job)["state"] == "reserved"
        client.touch(job)
        client.release(job, priority=1, delay=0)
        client.bury(client.reserve_job(one), priority=3)
        assert client.peek_buried().id == one
        assert client.peek_delayed().id == two
        assert client.kick(10) == 1
        client.kick_job(two)
        assert client.stats_tube("green")["current-jobs-ready"] == 2
        client.delete(client.reserve())
        client.delete(client.reserve())
        try:
            client.reserve(timeout=0)
            raise AssertionError("a job of nothing")
        except greenstalk.TimedOutError:
            pass
        assert "green" in client.tubes() and client.watching() == ["green"] and client.using() == "green"
        client.pause_tube("green", 1)


def test_pystalk():
    from pystalk import BeanstalkClient

    client = BeanstalkClient(HOST, int(PORT))
    client.put_job_into("stalk", "data", pri=7, ttr=20)
    client.watch("stalk")
    job = client.reserve_job(timeout=5)
    assert job.job_data == b"data" or job.job_data == "data"
    stats = client.stats_job(job.job_id)
    assert stats["tube"] == "stalk" and stats["pri"] == 7, stats
    client.release_job(job.job_id)
    job = client.reserve_job(timeout=5)
    client.bury_job(job.job_id)
    client.use("stalk")
    client.kick_jobs(5)
    client.delete_job(client.reserve_job(timeout=5).job_id)


def test_a_task_is_done_and_its_result_comes_back():
    with Worker("calm"):
        assert tasks.add(1, 2) == 3
        pending = tasks.add.delay(2, 3)
        assert pending.get(30) == 5 and pending.get(0) == 5
        when = datetime.datetime(2026, 1, 2, 3, 4)
        # What JSON has no word for.
        assert tasks.add.delay((when,), (1,)).get(30) == (when, 1)


def test_not_before_its_time():
    with Worker("calm"):
        began = time.time()
        at = tasks.now.apply_at(began + 1.5).get(30)
        assert at >= began + 1.5, (began, at)


def test_a_task_that_fails_is_tried_again_and_then_buried():
    mine = Client(ADDRESS)
    with Worker("rough") as worker:
        assert tasks.second_time.delay("x").get(30) == 2
        pending = tasks.never.delay()
        try:
            pending.get(30)
            raise AssertionError("it came to an end")
        except mq.Failed as failed:
            assert str(failed) == "ValueError: no way" and "in never" in failed.traceback
        until("it is buried", lambda: mine.stats_tube("rough")["current-jobs-buried"] == 1)
        assert mine.stats_job(pending.job)["reserves"] == 2, worker.said()
        mine.use("dae.failed.rough")
        kept = json.loads(mine.peek_ready().body)
        assert kept["job"] == pending.job and kept["error"] == "ValueError: no way" and kept["tries"] == 2
    mine.delete(pending.job)


def test_a_task_may_take_longer_than_the_queue_knows_but_not_than_it_may():
    with Worker("slow") as worker:
        # The queue gives it one second; the worker asks for more.
        began = time.time()
        assert tasks.sleep.apply((2.5,)).get(30) == 1, worker.said()
        assert time.time() - began < 20
        try:
            tasks.sleep_for_ever.delay().get(30)
            raise AssertionError("it came to an end")
        except mq.Failed as failed:
            assert "longer than 1 s" in str(failed)


def test_a_worker_that_dies_at_every_try():
    mine = Client(ADDRESS)
    job = tasks.die.delay()

    def buried():
        try:
            return mine.stats_job(job.job)["state"] == "buried"
        except QueueError:
            return False

    for _ in range(6):
        with Worker("deadly", retries=1) as worker:
            until("it died or gave up", lambda: worker.process.poll() is not None or buried())
            if buried():
                break
    assert buried()


def test_one_key_one_task():
    with Worker("calm"):
        some = [tasks.count.apply(("k",), key="k-1") for _ in range(5)]
        assert len({pending.id for pending in some}) == 1
        assert [pending.job is None for pending in some] == [False, True, True, True, True]
        assert some[0].get(30) == 1
        assert tasks.count.apply(("k",), key="k-2").get(30) == 2


def test_a_job_that_is_no_task_is_buried():
    number = mq.put("calm", b"\xff not json")
    mine = Client(ADDRESS)
    with Worker("calm"):
        until("it is buried", lambda: mine.stats_job(number)["state"] == "buried")
    mine.delete(number)


def test_names():
    assert taskqueue.task is mq.task and taskqueue.put is mq.put
    assert tasks.add.name == "tasks:add" and repr(tasks.add) == "<task tasks:add>"
    try:
        tasks.never.apply().get(0)
        raise AssertionError("nothing did it")
    except mq.Timeout:
        pass
    mine = Client(ADDRESS, use="rough")
    mine.delete(mine.peek_ready())


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(name, "ok", flush=True)
