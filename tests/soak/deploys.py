#!/usr/bin/env python3
"""Deploys in a row under load, with slow requests under way and a websocket open; every tenth release is broken.

    tests/soak/deploys.py [DAE] [--deploys 100] [--upgrades]

Quick requests go out by the clock, 20 a second, on connections of their own; ten requests of 1.5 seconds are under way at any time;
a websocket echoes five times a second. None of the requests may fail, the websocket may end with the code 1012 only, a broken release
must leave the last one serving, and an answer must never be of a release older than the one that was live when it was asked
for. With `--upgrades` another process takes the node's place after each deploy, by `dae node upgrade`, and none of this may change; a
scheduled task of each minute runs once a minute. Ends with code 1 where something does not hold.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

YAML = """application: soak
handlers:
- url: /ws
  websocket: app:talk
- url: /.*
  wsgi_app: app:app
"""
APP = """import time

def talk(ws):
    while True:
        ws.send(ws.receive())

def app(environ, start):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1.5)
    start("200 OK", [("Content-Length", "4")])
    return [b"%04d"]
"""
BROKEN = "raise RuntimeError('broken on purpose')\n"
CRON = """cron:
- {name: minutely, schedule: "* * * * *", script: minutely.py}
"""
HOST = "soak.localhost"


class Load:
    def __init__(self, port):
        self.port = port
        self.live = 0
        self.quick, self.slow, self.failed = [], [], []
        self.echoes = self.restarts = 0
        self.over = False

    async def ask(self, path, into):
        began, least = time.monotonic(), self.live
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            said = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            status, body = said.split(b" ", 2)[1], said.rpartition(b"\r\n\r\n")[2]
            if status != b"200" or int(body) < least:
                raise ValueError(f"{said!r} where {least} was live")
        except Exception as error:
            self.failed.append(f"{path}: {error!r}")
        into.append(time.monotonic() - began)

    async def quickly(self):
        tasks, due = set(), time.monotonic()
        while not self.over:
            task = asyncio.create_task(self.ask("/", self.quick))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += 0.05
            await asyncio.sleep(max(0, due - time.monotonic()))
        await asyncio.gather(*tasks)

    async def slowly(self):
        while not self.over:
            await self.ask("/slow", self.slow)

    async def listen(self):
        while not self.over:
            try:
                await self.talk()
            except Exception as error:
                if not self.over:
                    self.failed.append(f"websocket: {error!r}")
                    await asyncio.sleep(0.05)

    async def talk(self):
        """One websocket, until it is told to come again (RFC 6455)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.closing(writer):
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head.splitlines()[0]:
                raise ValueError(repr(head))
            while not self.over:
                # Text of two bytes, masked with zeros.
                writer.write(b"\x81\x82\0\0\0\0hi")
                kind, length = await asyncio.wait_for(reader.readexactly(2), 60)
                data = await reader.readexactly(length)
                if kind == 0x88 and data == (1012).to_bytes(2, "big"):
                    self.restarts += 1
                    return
                if (kind, data) != (0x81, b"hi"):
                    raise ValueError(f"{kind:x} {data!r}")
                self.echoes += 1
                await asyncio.sleep(0.2)


def spread(times):
    times = sorted(times)
    return "p50 %.0f ms, p95 %.0f ms, at most %.0f ms" % tuple(
        1000 * one for one in (statistics.median(times), times[int(len(times) * 0.95)], times[-1])
    )


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dae", nargs="?", default="target/debug/dae")
    parser.add_argument("--deploys", type=int, default=100)
    parser.add_argument("--upgrades", action="store_true")
    options = parser.parse_args()
    dae = shutil.which(options.dae) or os.path.abspath(options.dae)
    with tempfile.TemporaryDirectory(prefix="dae-soak-") as folder:
        place = Path(folder)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("DAE_", "PYTHON", "XDG_", "GIT_"))}
        env.update(HOME=folder, XDG_RUNTIME_DIR=folder, XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
        app = place / "soak"
        app.mkdir()
        (app / "app.yaml").write_text(YAML + (CRON if options.upgrades else ""))
        (app / "minutely.py").write_text("")
        (app / "pip-req.txt").write_text("")
        (app / "app.py").write_text(APP % 0)

        async def run(*words):
            ran = await asyncio.create_subprocess_exec(
                dae, *words, "--json", cwd=app, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            said, _ = await ran.communicate()
            return ran.returncode, said.decode()

        node = str(place / "node")
        code, said = await run("node", "init", "--dir", node, "--domain", "localhost", "--listen", "127.0.0.1:0")
        assert code == 0, said
        token = json.loads(said)["token"]
        with open(node + "/node.yaml", "a") as file:
            # Longer than a slow request, shorter than the run: the websocket is told.
            file.write("drain_s: 3\n")
        serving = await asyncio.create_subprocess_exec(dae, "node", "serve", "--json", "--dir", node, env=env, stdout=subprocess.PIPE)
        try:
            while True:
                told = json.loads(await serving.stdout.readline())
                if told.get("event") == "ready":
                    break
            # Read on, or the node would wait for its reader.
            drained = asyncio.create_task(serving.stdout.read())
            port = int(told["listen"].rsplit(":", 1)[1])
            code, said = await run("remote", "add", "node", f"http://127.0.0.1:{port}", "--token", token)
            assert code == 0, said
            code, said = await run("deploy")
            assert code == 0, said
            load = Load(port)
            flows = [asyncio.create_task(flow) for flow in [load.quickly(), load.listen(), *(load.slowly() for _ in range(10))]]
            took, verdicts, upgrades, wrong, began = [], [], [], [], time.monotonic()
            for number in range(1, options.deploys + 1):
                broken = number % 10 == 0
                (app / "app.py").write_text(BROKEN if broken else APP % number)
                start = time.monotonic()
                code, said = await run("deploy")
                (verdicts if broken else took).append(time.monotonic() - start)
                if broken:
                    if code != 6 or "RuntimeError: broken on purpose" not in said:
                        wrong.append(f"{number}: {code} {said[-300:]}")
                elif code != 0:
                    wrong.append(f"{number}: {code} {said[-300:]}")
                else:
                    load.live = number
                if options.upgrades:
                    code, said = await run("node", "upgrade", "--dir", node)
                    if code == 0:
                        upgrades.append(json.loads(said.splitlines()[-1])["unwatched_ms"] / 1000)
                    else:
                        wrong.append(f"upgrade {number}: {code} {said[-300:]}")
            lasted = time.monotonic() - began
            if options.upgrades:
                code, said = await run("cron", "runs", "--remote", "node")
                runs = json.loads(said)["runs"]
                minutes = sorted(datetime.fromisoformat(run["due"]).timestamp() / 60 for run in runs)
                wrong += [f"a run {next - last} minutes after the last" for last, next in zip(minutes, minutes[1:]) if next - last != 1]
                wrong += [f"{run}" for run in runs if run["outcome"] != "good"]
            load.over = True
            await asyncio.gather(*flows)
        finally:
            serving.send_signal(signal.SIGTERM)
            await serving.wait()
        await drained
    print(f"{options.deploys} deploys in {lasted:.0f} s: {len(took)} live ({spread(took)}), {len(verdicts)} broken on purpose ({spread(verdicts)})")
    print(f"{len(load.quick)} quick requests ({spread(load.quick)}), {len(load.slow)} of 1.5 s (at most {max(load.slow):.2f} s)")
    print(f"{load.echoes} echoes over the websocket, told {load.restarts} times to come again (1012)")
    if options.upgrades:
        print(f"{len(upgrades)} upgrades, handed over in {spread(upgrades)}; the task of each minute ran {len(minutes)} times")
    print(f"{len(load.failed)} failed, {len(wrong)} deploys not as they should be")
    for why in [*load.failed, *wrong][:20]:
        print("  ", why)
    sys.exit(1 if load.failed or wrong else 0)


if __name__ == "__main__":
    asyncio.run(main())
