#!/usr/bin/env python3
"""What a node without apps takes: its memory, then with ten thousand idle connections, and how soon it answers meanwhile.

    python3 tests/soak/idle.py target/release/dae [CONNECTIONS]
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

HEAD = b"GET /dae/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


def memory(pids):
    """Proportional set size of these processes, in MiB."""
    total = 0
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def answer(stream):
    stream.sendall(HEAD)
    said = stream.recv(65536)
    assert said.startswith(b"HTTP/1.1 "), said[:100]


def main():
    dae, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, HOME=folder, XDG_RUNTIME_DIR=folder + "/run")
        node = folder + "/node"
        subprocess.run([dae, "node", "init", "-q", "--dir", node, "--domain", "localhost", "--listen", "127.0.0.1:0"], env=env, check=True, stdout=subprocess.DEVNULL)
        serving = subprocess.Popen([dae, "node", "serve", "--json", "--dir", node], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            for line in serving.stdout:
                told = json.loads(line)
                if told.get("event") == "ready":
                    break
            port = int(told["listen"].rsplit(":", 1)[1])
            with open(node + "/lock") as file:
                pids = [serving.pid, int(file.read())]
            time.sleep(3)
            print("without apps: %.1f MiB in %d processes" % (memory(pids), len(pids)))
            began, held = time.monotonic(), []
            for _ in range(count):
                stream = socket.create_connection(("127.0.0.1", port))
                answer(stream)
                held.append(stream)
            print("%d connections, each with an answer, in %.1f s: %.1f MiB" % (count, time.monotonic() - began, memory(pids)))
            time.sleep(30)
            took = []
            for number in range(1000):
                began = time.monotonic()
                answer(held[number * 7919 % count])
                took.append((time.monotonic() - began) * 1000)
            took.sort()
            print("after 30 idle seconds: %.1f MiB; 1000 of them asked again: p50 %.2f ms, p99 %.2f ms" % (memory(pids), took[500], took[990]))
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait()


if __name__ == "__main__":
    main()
