#!/usr/bin/env python3
"""Pushes that are cut at random bytes: each goes on where it stopped, and at most 4 MiB are sent again.

    tests/soak/cuts.py [DAE] [--cuts 200] [--seed N]

A file of 8 MiB that cannot be compressed is deployed anew each time, through a proxy that cuts a connection when that many bytes have
gone to the node. `dae deploy` has to end live all the same. Ends with code 1 where something does not hold.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = 8 << 20
AGAIN = 4 << 20
# Heads of requests, the manifest, what else has changed.
BESIDE = 256 << 10
YAML = """application: cuts
handlers:
- url: /.*
  wsgi_app: app:app
"""
APP = """def app(environ, start):
    start("200 OK", [])
    return [b"hello"]
"""


class Proxy:
    def __init__(self, node):
        self.node, self.limit, self.passed, self.cuts = node, None, 0, 0

    async def serve(self):
        server = await asyncio.start_server(self.client, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def client(self, reader, writer):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.node)
        back = asyncio.create_task(self.copy(to_reader, writer))
        try:
            while chunk := await reader.read(16 << 10):
                if self.limit is not None and self.passed + len(chunk) > self.limit:
                    self.limit = None
                    self.cuts += 1
                    back.cancel()
                    # Without a word, as a network that goes away.
                    writer.transport.abort()
                    return
                self.passed += len(chunk)
                to_writer.write(chunk)
                await to_writer.drain()
        except OSError:
            pass
        finally:
            to_writer.close()

    async def copy(self, reader, writer):
        try:
            while chunk := await reader.read(16 << 10):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dae", nargs="?", default="target/debug/dae")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    dae = shutil.which(options.dae) or os.path.abspath(options.dae)
    with tempfile.TemporaryDirectory(prefix="dae-soak-") as folder:
        place = Path(folder)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("DAE_", "PYTHON", "XDG_", "GIT_"))}
        env.update(HOME=folder, XDG_RUNTIME_DIR=folder, XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
        app = place / "cuts"
        app.mkdir()
        for name, text in [("app.yaml", YAML), ("pip-req.txt", ""), ("app.py", APP)]:
            (app / name).write_text(text)

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
        # What was replaced takes room.
        serving = await asyncio.create_subprocess_exec(
            dae, "node", "serve", "--json", "--keep-unused", "60s", "--dir", node, env=env, stdout=subprocess.PIPE
        )
        try:
            while True:
                told = json.loads(await serving.stdout.readline())
                if told.get("event") == "ready":
                    break
            drained = asyncio.create_task(serving.stdout.read())
            proxy = Proxy(int(told["listen"].rsplit(":", 1)[1]))
            code, said = await run("remote", "add", "far", f"http://127.0.0.1:{await proxy.serve()}", "--token", token)
            assert code == 0, said
            code, said = await run("deploy")
            assert code == 0, said
            again, came, wrong, began = [], [], [], time.monotonic()
            for number in range(options.cuts):
                (app / "large.bin").write_bytes(chance.randbytes(SIZE))
                proxy.limit = at = chance.randrange(SIZE)
                proxy.passed = 0
                code, said = await run("deploy")
                told = json.loads(said.splitlines()[-1])
                # As the client counts: the whole body of a request that was cut.
                again.append(told.get("bytes_sent", 0) - SIZE)
                came.append(proxy.passed - SIZE)
                if code != 0 or told["outcome"] != "live" or again[-1] > AGAIN + BESIDE:
                    wrong.append(f"{number}, cut at {at}: {code}, {again[-1]} bytes more, {said[-300:]}")
            lasted = time.monotonic() - began
        finally:
            serving.send_signal(signal.SIGTERM)
            await serving.wait()
        await drained
    again.sort()
    print(
        f"{options.cuts} pushes of 8 MiB, {proxy.cuts} of them cut (seed {options.seed}), in {lasted:.0f} s: beyond the 8 MiB the client sent "
        f"{again[len(again) // 2] / 1024:.0f} KiB in the middle, {again[-1] / 1024:.0f} KiB at most, and {max(came) / 1024:.0f} KiB at most came twice; "
        f"{len(wrong)} not as they should be"
    )
    for why in wrong[:20]:
        print("  ", why)
    sys.exit(1 if wrong or proxy.cuts < options.cuts else 0)


if __name__ == "__main__":
    asyncio.run(main())
