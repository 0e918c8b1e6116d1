#!/usr/bin/env python3
"""Long runs of `dae serve`, on Linux: kill -9 at random moments, and idling.

    tests/soak/serve.py kills [--cycles 1000] [--dae target/release/dae]
    tests/soak/serve.py idle  [--minutes 5]   [--dae target/release/dae]

`kills`: the app is started and one of dae's two processes is killed within the first two seconds; 200 ms later nothing may be
left: no process, no listening port, no held lock. The app has a daemon that leaves its family. `idle`: the app is served and
left alone; told are the processor's share and the memory of dae itself, and every connection it has. Ends with code 1 where
something does not hold.
"""

import argparse
import fcntl
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

YAML = """application: soak
handlers:
- url: /.*
  wsgi_app: app:app
daemons:
- {name: feed, script: feed.py}
"""
APP = """def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""
# Takes a session of its own, twice forked, as daemons do.
FEED = """import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""
SETTLED = 0.2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["kills", "idle"])
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dae", default="target/release/dae")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), Path(options.dae).resolve())
        good = place.kills(options.cycles, options.seed) if options.what == "kills" else place.idle(options.minutes)
    sys.exit(0 if good else 1)


class Place:
    def __init__(self, folder, dae):
        self.root = folder / "soak"
        self.root.mkdir()
        for name, text in [("app.yaml", YAML), ("app.py", APP), ("feed.py", FEED), ("pip-req.txt", "")]:
            (self.root / name).write_text(text)
        self.dae = dae
        self.run = folder / "run"
        self.run.mkdir(mode=0o700)
        # Everything that is started inherits it.
        self.mark = f"DAE_SOAK={uuid.uuid4()}"
        env = dict(os.environ, XDG_RUNTIME_DIR=str(self.run))
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        name, value = self.mark.split("=")
        self.env = dict(env, **{name: value})
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        command = [self.dae, "-C", self.root, "--json", "serve", "--port", str(self.port)]
        return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def until(self, server, event):
        for line in server.stdout:
            if json.loads(line).get("event") == event:
                return
        raise SystemExit(f"dae ended before it said {event}")

    def kills(self, cycles, seed):
        rng = random.Random(seed)
        # The virtualenv is made once.
        server = self.start()
        self.until(server, "started")
        server.send_signal(signal.SIGTERM)
        server.communicate()
        left = {"processes": 0, "ports": 0, "locks": 0}
        slow = []
        began = time.monotonic()
        for cycle in range(cycles):
            server = self.start()
            time.sleep(rng.uniform(0, 2))
            family = [pid for pid in self.marked() if self.dae.name in comm(pid)]
            victim = rng.choice(family or [server.pid])
            os.kill(victim, signal.SIGKILL)
            killed = time.monotonic()
            time.sleep(SETTLED)
            found = self.left()
            while any(found.values()) and time.monotonic() - killed < 10:
                slow.append(cycle)
                found = self.left()
            if slow and slow[-1] == cycle:
                print(f"cycle {cycle}: all gone only after {1000 * (time.monotonic() - killed):.0f} ms, load {os.getloadavg()[0]:.1f}")
            for what, those in found.items():
                left[what] += len(those)
                if those:
                    print(f"cycle {cycle}: {what} left for good: {those}")
            for pid in found["processes"]:
                os.kill(pid, signal.SIGKILL)
            server.communicate()
            if (cycle + 1) % 100 == 0:
                print(f"{cycle + 1} cycles, {time.monotonic() - began:.0f} s: {left}, {len(set(slow))} slow", flush=True)
        print(
            f"{cycles} cycles: {left['processes']} processes, {left['ports']} listening ports, {left['locks']} held locks left; "
            f"{len(set(slow))} times not all was gone after {1000 * SETTLED:.0f} ms"
        )
        return not any(left.values()) and not slow

    def left(self):
        return {"processes": self.marked(), "ports": self.ports(), "locks": self.locks()}

    def marked(self):
        """Living processes that this run started."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes()
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if self.mark.encode() in environ.split(b"\0") and state != "Z":
                found.append(int(entry))
        return found

    def ports(self):
        with socket.socket() as probe:
            return [self.port] if probe.connect_ex(("127.0.0.1", self.port)) == 0 else []

    def locks(self):
        held = []
        for path in [self.root / ".dae/serve", self.root / ".dae/services"]:
            if not path.exists():
                continue
            with open(path, "r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held.append(path.name)
        return held

    def idle(self, minutes):
        server = self.start()
        self.until(server, "started")
        time.sleep(5)
        own = [pid for pid in self.marked() if self.dae.name in comm(pid)]
        before, began = sum(map(ticks, own)), time.monotonic()
        elsewhere = set()
        while time.monotonic() - began < minutes * 60:
            time.sleep(1)
            for pid in own:
                elsewhere |= connections(pid)
        took = time.monotonic() - began
        share = 100 * (sum(map(ticks, own)) - before) / os.sysconf("SC_CLK_TCK") / took
        memory = sum(map(resident, own))
        print(f"{took:.0f} s idle: dae's {len(own)} processes used {share:.2f}% of a processor and hold {memory / 1024:.1f} MiB")
        print(f"connections to elsewhere than this machine: {sorted(elsewhere) or 'none'}")
        server.send_signal(signal.SIGTERM)
        server.communicate()
        return share < 0.5 and memory < 40 * 1024 and not elsewhere


def comm(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident(pid):
    """In kB, what it shares with others counted by its share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1])


def connections(pid):
    """Remote ends of the process's TCP connections that are not loopback."""
    inodes = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ["tcp", "tcp6", "udp", "udp6"]:
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            remote = fields[2].split(":")[0]
            loopback = remote.endswith("7F") and remote[-2:] == "7F" or remote in ("0" * 8, "0" * 32) or remote.endswith("01000000")
            if fields[9] in inodes and not loopback:
                found.add(f"{table} {fields[2]}")
    return found


if __name__ == "__main__":
    main()
