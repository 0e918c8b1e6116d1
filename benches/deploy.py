#!/usr/bin/env python3
"""Measures deploys of a one-line change, and rollbacks, on loopback: `benches/deploy.py [DAE] [--deploys N] [--files N]
[--wheels N]`.

The app is Flask's template with many files beside it, and as many packages as `--wheels` says, made here, each of twenty modules that
the app imports. What is told: milliseconds from starting the command to the first
public answer of the new code, and to the command's end; medians, and the 95th in 100.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import zipfile

parser = argparse.ArgumentParser()
parser.add_argument("dae", nargs="?", default="target/debug/dae")
parser.add_argument("--deploys", type=int, default=20)
parser.add_argument("--files", type=int, default=1500)
parser.add_argument("--wheels", type=int, default=0, help="packages beside Flask's own")
args = parser.parse_args()
DAE = shutil.which(args.dae) or os.path.abspath(args.dae)

place = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-"))
env = {name: value for name, value in os.environ.items() if not name.startswith(("DAE_", "PYTHON", "XDG_", "GIT_"))}
env.update(HOME=str(place), XDG_CONFIG_HOME=str(place / "config"), XDG_RUNTIME_DIR=str(place), NO_COLOR="1")
env.setdefault("XDG_CACHE_HOME", str(pathlib.Path.home() / ".cache"))
if "XDG_CACHE_HOME" in os.environ:
    env["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]


def dae(*words, cwd=place):
    ran = subprocess.run([DAE, *words, "--json"], cwd=cwd, env=env, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"dae {' '.join(words)}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def wheel(folder, name):
    """A package of twenty modules, as a wheel."""
    info = f"{name}-1.0.dist-info"
    files = {f"{name}/__init__.py": "".join(f"from . import part{n}\n" for n in range(20))}
    files |= {f"{name}/part{n}.py": f"NAME = '{name}'\n" + f"def f{n}(x):\n    return x + {n}\n" * 40 for n in range(20)}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def spread(times):
    times = sorted(times)
    return f"p50 {statistics.median(times) * 1000:.0f} ms, p95 {times[max(0, round(len(times) * 0.95) - 1)] * 1000:.0f} ms"


def asked_until(says, found, stop):
    """Asks again and again, on one connection; notes when the answer is `says`."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while not stop.is_set():
        try:
            connection.request("GET", "/bench", headers={"Host": "hello.localhost"})
            if connection.getresponse().read().decode() == says:
                found.append(time.perf_counter())
                return
        except (OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port)
        time.sleep(0.003)


def timed(says, *words):
    found, stop = [], threading.Event()
    asking = threading.Thread(target=asked_until, args=(says, found, stop))
    asking.start()
    began = time.perf_counter()
    said = dae(*words, cwd=app)
    ended = time.perf_counter()
    asking.join(20)
    stop.set()
    if not found:
        raise SystemExit(f"`{says}` was never answered")
    return found[0] - began, ended - began, said


try:
    dae("create", "hello", "--template", "flask")
    app = place / "hello"
    for number in range(args.files):
        file = app / "package" / f"part{number % 50}" / f"file{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# file {number}\n" + "x = 1\n" * 20)
    names = [f"benchpack{number}" for number in range(args.wheels)]
    if names:
        wheels = place / "wheels"
        wheels.mkdir()
        for name in names:
            wheel(wheels, name)
        env.update(UV_FIND_LINKS=str(wheels), PIP_FIND_LINKS=str(wheels))
        dae("install", *names, cwd=app)
    source = "".join(f"import {name}\n" for name in names) + (app / "app.py").read_text()
    token = dae("node", "init", "--dir", "node", "--domain", "localhost", "--listen", "127.0.0.1:0")[-1]["token"]
    node = subprocess.Popen(
        [DAE, "node", "serve", "--dir", "node", "--json"], cwd=place, env=env, stdout=subprocess.PIPE, text=True
    )
    # Warnings may come before it.
    ready = next(event for event in map(json.loads, node.stdout) if "listen" in event)
    port = int(ready["listen"].rpartition(":")[2])
    threading.Thread(target=lambda: node.stdout.read(), daemon=True).start()
    env["DAE_TOKEN"] = token
    dae("remote", "add", "prod", f"http://127.0.0.1:{port}")

    def change(number):
        (app / "app.py").write_text(f"{source}\n\n@app.route('/bench')\ndef bench():\n    return '{number}'\n")

    answers, ends, steps, sent = [], [], {}, []
    for number in range(args.deploys + 1):
        change(number)
        answer, end, said = timed(str(number), "deploy")
        if number == 0:
            print(f"first deploy: {end * 1000:.0f} ms, {said[-1]['bytes_sent']} bytes", flush=True)
            time.sleep(2)
            continue
        answers.append(answer)
        ends.append(end)
        sent.append(said[-1]["bytes_sent"])
        for event in said:
            if event.get("event") == "step":
                steps.setdefault(f"{event['step']}", []).append(event["took_ms"] / 1000)
            if event.get("event") == "live":
                steps.setdefault("node in all", []).append(event["took_ms"] / 1000)
            if event.get("event") == "pushed":
                steps.setdefault("push", []).append(event["took_ms"] / 1000)
            if event.get("event") == "step" and event["step"] == "start" and number == 1:
                print("the second deploy was started", event["text"])
    print(f"deploy of one line, {args.files} files, {args.wheels} wheels, {args.deploys} times, load {os.getloadavg()[0]:.1f}")
    print(f"  to the first answer: {spread(answers)}")
    print(f"  to the command's end: {spread(ends)}")
    print(f"  bytes sent: at most {max(sent)}")
    for step, times in steps.items():
        print(f"  {step}: {spread(times)}")
    answers, ends, nodes = [], [], []
    for number in range(args.deploys):
        wanted = args.deploys - 1 + number % 2
        answer, end, said = timed(str(wanted), "rollback")
        answers.append(answer)
        ends.append(end)
        nodes += [event["took_ms"] / 1000 for event in said if event.get("event") == "live"]
    print("rollback to the release before")
    print(f"  to the first answer: {spread(answers)}")
    print(f"  to the command's end: {spread(ends)}")
    print(f"  node in all: {spread(nodes)}")
finally:
    if "node" in globals():
        node.send_signal(signal.SIGTERM)
        node.wait(30)
    shutil.rmtree(place, ignore_errors=True)
