#!/usr/bin/env python3
"""What a node without apps takes: its memory, then with ten thousand idle connections, how soon it answers meanwhile, and, where there
is h2load (nghttp2-client), what becomes of 5,000 requests a second for an app's file beside them.

    python3 tests/soak/idle.py target/release/dae [CONNECTIONS [SECONDS]]
"""

import json
import os
import resource
import shutil
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


YAML = """application: files
handlers:
- {url: /(.*), static_files: static/\\1}
"""


def deploy(dae, env, folder, port, token):
    """An app of one file of a kilobyte."""
    app = folder + "/files"
    os.makedirs(app + "/static")
    for name, text in [("app.yaml", YAML), ("pip-req.txt", ""), ("static/one.txt", "x" * 1024)]:
        with open(app + "/" + name, "w") as file:
            file.write(text)
    for words in [["remote", "add", "node", "http://127.0.0.1:%d" % port, "--token", token], ["deploy", "-q"]]:
        subprocess.run([dae, *words], cwd=app, env=env, check=True, stdout=subprocess.DEVNULL)


def rate(port, seconds, folder):
    """Fifty clients, each a hundred requests a second by the clock."""
    log = folder + "/h2load"
    subprocess.run(
        ["h2load", "--h1", "-c", "50", "--rps", "100", "-D", str(seconds), "--log-file", log, "--connect-to", "127.0.0.1:%d" % port, "http://files.localhost:%d/one.txt" % port],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with open(log) as file:
        lines = [line.split() for line in file]
    took = sorted(int(line[2]) / 1000 for line in lines)
    wrong = sum(line[1] != "200" for line in lines)
    print(
        "%.0f requests a second beside them for %d s: p50 %.2f ms, p99 %.2f ms, at most %.1f ms; %d not answered with 200"
        % (len(took) / seconds, seconds, took[len(took) // 2], took[len(took) * 99 // 100], took[-1], wrong)
    )


def main():
    dae, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
        env = dict(os.environ, HOME=folder, XDG_RUNTIME_DIR=folder + "/run", XDG_CACHE_HOME=cache)
        node = folder + "/node"
        made = subprocess.run([dae, "node", "init", "--json", "--dir", node, "--domain", "localhost", "--listen", "127.0.0.1:0"], env=env, check=True, capture_output=True)
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
            if shutil.which("h2load"):
                deploy(dae, env, folder, port, json.loads(made.stdout)["token"])
                rate(port, seconds, folder)
                print("with that app: %.1f MiB" % memory(pids))
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait()


if __name__ == "__main__":
    main()
