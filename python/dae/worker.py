"""Works off one queue of app.yaml, one job after the other.

Run as a program: ``python worker.py`` with one JSON value in ``DAE_BOOT``. Its keys:

    root, runtime, site, environment    as in boot.py
    queue       the tube
    retries     how often a job that failed is tried again
    timeout     seconds after which a job counts as failed

A job that failed once too often is buried; why stands in a job of the tube ``dae.failed.QUEUE``, which `dae queue` shows.
"""

import faulthandler
import json
import os
import signal
import sys
import threading
import time
import traceback


def main():
    config = json.loads(os.environ.pop("DAE_BOOT"))
    if "runtime" in config:
        from boot import set_path

        set_path(config)
    # Else it is run as a module, by `dae queue run`, and the path is there.
    from dae import lifeline, source

    lifeline.hold()
    if config["environment"] == "SDK":
        source.never_stale(config["root"])
    # For `mq.task` in the script itself.
    os.chdir(config["root"])
    Worker(config).work()


# How often an idle worker looks for what is too old, in seconds.
TIDIED = 1800


class TimedOut(Exception):
    """The task took longer than it may."""


class Worker:
    def __init__(self, config):
        from dae.api import beanstalk, mq

        self.beanstalk, self.mq, self.config = beanstalk, mq, config
        self.queue = config["queue"]
        self.ending = self.busy = False
        address = os.environ.get("DAE_QUEUE")
        if not address:
            sys.exit("no queue server is set (`DAE_QUEUE`)")
        self.address = address.split(",")[0]
        self.client = beanstalk.Client(self.address, watch=[self.queue])
        signal.signal(signal.SIGTERM, self.end)
        signal.signal(signal.SIGINT, self.end)

    def end(self, *_):
        # A job under way is finished, where the grace is long enough; the queue gives it out again otherwise.
        self.ending = True
        if not self.busy:
            os._exit(0)

    def work(self):
        if self.config.get("once"):
            sys.exit(self.once(self.config.get("job")))
        self.note(self.mq.tidy)
        while not self.ending:
            try:
                job = self.client.reserve(TIDIED)
            except self.beanstalk.Timeout:
                self.note(self.mq.tidy)
                continue
            except self.beanstalk.DeadlineSoon:
                continue
            except (OSError, EOFError):
                # The server is starting anew.
                self.client.close()
                time.sleep(0.2)
                continue
            self.busy = True
            try:
                self.do(job)
            finally:
                self.busy = False

    def once(self, number):
        """One job, in the foreground: the exit code says whether it was done."""
        try:
            job = self.client.reserve(0) if number is None else self.client.reserve_job(number)
        except self.beanstalk.QueueError:
            print("no job waits in `%s`" % self.queue if number is None else "job %d is not there to be run" % number)
            return 1
        self.busy = True
        return 0 if self.do(job) else 1

    def do(self, job):
        """Whether the job was done."""
        began = time.monotonic()
        told = name = None
        try:
            told = json.loads(job.body)
            name = told["task"]
        except (ValueError, TypeError, KeyError):
            return self.failed(job, {}, "a job that is no task", "ValueError: no task of dae.api.mq:\n%r" % job.body[:200])
        timeout = told.get("timeout") or self.config["timeout"]
        retries = told.get("retries", self.config["retries"])
        tries = self.tries(job, retries)
        if tries > retries + 1:
            return self.failed(job, told, "its worker died", "the worker died at every try of it", tries - 1)
        try:
            with Touching(self, job), Limit(timeout):
                value = self.mq.run(told)
        except self.mq.Retry as again:
            return self.again(job, told, again, traceback.format_exc(), again.delay, tries)
        except BaseException as error:
            shown = traceback.format_exc()
            if isinstance(error, (KeyboardInterrupt, SystemExit)) and self.ending:
                raise
            return self.again(job, told, error, shown, None, tries)
        if told.get("result"):
            self.note(lambda client: self.mq.keep_result(client, told["id"], self.mq.packed_value(value)))
        self.settle(lambda: self.client.delete(job))
        print("%s done in %d ms" % (name, (time.monotonic() - began) * 1000), flush=True)
        return True

    def tries(self, job, retries):
        """Which try this is; a job that was kicked begins anew."""
        try:
            told = self.client.stats_job(job)
        except (self.beanstalk.QueueError, OSError, EOFError):
            return 1
        return max(1, told["reserves"] - (retries + 1) * told["kicks"])

    def again(self, job, told, error, shown, delay, tries):
        """Tries it once more later, or buries it."""
        retries = told.get("retries", self.config["retries"])
        message = "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__
        if tries > retries:
            return self.failed(job, told, message, shown, tries)
        if delay is None:
            delay = min(3600, told.get("backoff", 1) * 2 ** (tries - 1))
        sys.stderr.write(shown)
        print("%s failed (%s); again in %d s, try %d of %d" % (told["task"], message, delay, tries + 1, retries + 1), flush=True)
        self.settle(lambda: self.client.release(job, delay=int(delay)))

    def failed(self, job, told, message, shown, tries=1):
        sys.stderr.write(shown if shown.endswith("\n") else shown + "\n")
        print("%s failed for good (%s), try %d" % (told.get("task", "job %d" % job.id), message, tries), flush=True)
        record = {"job": job.id, "task": told.get("task"), "error": message, "traceback": shown[-60_000:], "at": time.time(), "tries": tries}

        def keep(client):
            client.use("dae.failed." + self.queue)
            client.put(json.dumps(record))
            if told.get("result"):
                self.mq.keep_result(client, told["id"], {"error": message, "traceback": record["traceback"]})

        self.note(keep)
        self.settle(lambda: self.client.bury(job))

    def note(self, keep):
        try:
            with self.beanstalk.Client(self.address) as client:
                keep(client)
        except (self.beanstalk.QueueError, OSError, EOFError) as error:
            print("could not keep what came of it: %s" % error, flush=True)

    def settle(self, act):
        """Says what came of a job, for as long as the server takes to come back; then its time may be over."""
        for _ in range(50):
            try:
                return act()
            except self.beanstalk.QueueError as error:
                print("the job's time was over before it was done (%s)" % error, flush=True)
                return
            except (OSError, EOFError):
                self.client.close()
                time.sleep(0.1)


class Touching:
    """Asks for more time for a job as long as it is under way: the queue's own limit is not the task's."""

    def __init__(self, worker, job):
        self.worker, self.job, self.done = worker, job, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.touch, name="touch", daemon=True)
        self.thread.start()

    def touch(self):
        client = self.worker.client
        try:
            ttr = client.stats_job(self.job)["ttr"]
        except Exception:
            return
        # The connection is this thread's until the task is done.
        while not self.done.wait(max(0.4, ttr / 3)):
            try:
                client.touch(self.job)
            except Exception:
                return

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


class Limit:
    """Raises TimedOut in the main thread after so many seconds; a task that does not heed it is ended with the process."""

    GRACE = 10

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        signal.signal(signal.SIGALRM, self.over)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        # Code that holds on to the interpreter hears no signal.
        faulthandler.dump_traceback_later(self.seconds + self.GRACE, exit=True)

    def over(self, *_):
        raise TimedOut("it took longer than %g s" % self.seconds)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
