"""Three instances of a service under 500 calls a second; one is killed every second and started again.

    python failover.py SECONDS DAE APP_DIR [--zookeeper]      with every_client on the path

With --zookeeper the client is told of nothing but a real ZooKeeper, which is killed and started once as well, and who comes back has
another port. Prints one JSON value. Exits with 1 if an idempotent call failed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

seconds, dae, app = float(sys.argv[1]), sys.argv[2], sys.argv[3]
through_zookeeper = "--zookeeper" in sys.argv
THREADS, RATE = 8, 500


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


zookeeper = None
if through_zookeeper:
    from zookeeper import ZooKeeper

    folder = tempfile.TemporaryDirectory(prefix="dae-zk-")
    zookeeper = ZooKeeper(folder.name, free_port()).start()


class Instance:
    def __init__(self):
        self.port = free_port()

    def start(self, tries=50):
        if zookeeper:
            self.port = free_port()
        command = [dae, "-C", app, "service", "serve", "--port", str(self.port)]
        if zookeeper:
            command += ["--zookeeper", f"127.0.0.1:{zookeeper.port}"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            if ("registered" if zookeeper else "Started") in line:
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return self
        if tries and "already in use" in "".join(said):
            # What was killed is not all gone yet.
            time.sleep(0.1)
            return self.start(tries - 1)
        raise SystemExit("an instance does not start:\n" + "".join(said))

    def kill(self):
        # Its guardian dies, and nothing outlives it.
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


instances = [Instance().start() for _ in range(3)]
if zookeeper:
    os.environ["DAE_ZOOKEEPER"] = f"127.0.0.1:{zookeeper.port}"
else:
    os.environ["DAE_SERVICE_EVERY_EVERY"] = ",".join(f"127.0.0.1:{one.port}" for one in instances)
from every_client import Every, Interrupted, Unavailable  # noqa: E402

stop, lock = threading.Event(), threading.Lock()
counts = {"calls": 0, "failed": [], "not_idempotent": 0, "interrupted": 0, "failed_not_idempotent": []}
slowest = 0.0


def load(number):
    global slowest
    turn = time.monotonic()
    count = 0
    while not stop.is_set():
        turn += THREADS / RATE
        count += 1
        since = time.monotonic()
        try:
            if count % 10:
                Every.ping("x")
            else:
                Every.nothing()
        except Interrupted as error:
            what = "interrupted"
            if count % 10:
                counts["failed"].append(repr(error))
        except Exception as error:
            counts["failed" if count % 10 else "failed_not_idempotent"].append(repr(error))
            what = None
        else:
            what = None
        with lock:
            counts["calls" if count % 10 else "not_idempotent"] += 1
            if what and not count % 10:
                counts[what] += 1
            slowest = max(slowest, time.monotonic() - since)
        time.sleep(max(0, turn - time.monotonic()))


threads = [threading.Thread(target=load, args=(number,)) for number in range(THREADS)]
began = time.monotonic()
[thread.start() for thread in threads]
kills, zookeeper_kills = 0, 0
ports = {one.port for one in instances}
try:
    while time.monotonic() - began < seconds:
        turn = time.monotonic() + 1
        victim = instances[kills % 3]
        victim.kill()
        kills += 1
        if zookeeper and not zookeeper_kills and time.monotonic() - began > seconds / 3:
            zookeeper.kill()
            zookeeper_kills += 1
            time.sleep(1)
            zookeeper.start()
        # The next one is killed when this one is back: two that are down at once would be another test.
        victim.start()
        ports.add(victim.port)
        time.sleep(max(0, turn - time.monotonic()))
finally:
    stop.set()
    [thread.join() for thread in threads]
    for one in instances:
        one.process.send_signal(signal.SIGINT)
    for one in instances:
        one.process.wait(30)
    if zookeeper:
        zookeeper.kill()
took = time.monotonic() - began
if zookeeper:
    counts.update(zookeeper_kills=zookeeper_kills, ports=len(ports))
counts.update(kills=kills, seconds=round(took, 1), calls_a_second=round((counts["calls"] + counts["not_idempotent"]) / took))
counts.update(slowest_ms=round(slowest * 1000), failed=len(counts["failed"]), examples=counts["failed"][:3])
print(json.dumps(counts))
sys.exit(bool(counts["failed"]))
