#!/usr/bin/env python3
"""The own suites of memcached's Python clients, from their source distributions, against a memcached: run by hand.

    tests/clients/memcache.py                               dae's own: `dae serve` of an empty app is started for it
    tests/clients/memcache.py --address 127.0.0.1:11211     any other, to compare with
    tests/clients/memcache.py --libmc-tests DIR             the tests of libmc's repository: its sdist has none

`--dae` is the binary, target/debug/dae unless given. What is skipped is named below with its reason, and so is it printed.
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading

# By client: its version, what its suite needs, its tests, and what is left out because of the suite or the client.
CLIENTS = {
    "pymemcache": ("4.0.0", ["pytest", "faker", "zstd"], ["pymemcache/test"], {
        "test_tls": "needs a memcached with TLS and its certificates; the marker leaves out its benchmarks too",
    }, ["-o", "addopts=", "-m", "unit or integration", "--server", "127.0.0.1", "--port", "{port}"]),
    "python-memcached": ("1.62", ["pytest"], ["tests"], {}, []),
    "pylibmc": ("1.6.3", ["pytest"], ["tests"], {}, []),
    "libmc": ("1.4.17", ["pytest", "gevent", "future"], ["tests"], {
        "(ServersCase and test_quit)": "counts the connections of two and of ten servers, whose ports all lead to one here",
    }, []),
}

# The sdist of python-memcached forgot it.
CAPTURED = '''
import contextlib, io, sys
@contextlib.contextmanager
def captured_stderr():
    kept, sys.stderr = sys.stderr, io.StringIO()
    try:
        yield sys.stderr
    finally:
        sys.stderr = kept
'''


# The tests of libmc have these ports in them; each leads to the one server.
LIBMC_PORTS = range(21211, 21231)


def lead(port, to):
    """What connects to `port` is connected to `to`, for as long as this runs."""
    def pump(one, other):
        try:
            while data := one.recv(1 << 16):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            one.close()
            other.close()

    def accept(listening):
        while True:
            near = listening.accept()[0]
            far = socket.create_connection(("127.0.0.1", to))
            for wire in (near, far):
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, args=(socket.create_server(("127.0.0.1", port)),), daemon=True).start()


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def prepare(client, work, port, libmc_tests):
    """A Python with the client, and the folder of its sources with the port in place."""
    version, needs, _, _, _ = CLIENTS[client]
    python = work / client / "venv/bin/python"
    run(sys.executable, "-m", "venv", work / client / "venv")
    run(python, "-m", "pip", "install", "-q", "%s==%s" % (client, version), *needs)
    if client == "libmc":
        if not libmc_tests:
            return python, None
        # Away from the package's sources, which are not built.
        shutil.copytree(libmc_tests, work / client / "source/tests")
        return python, work / client / "source"
    run(python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", work / client,
        "%s==%s" % (client, version), stderr=subprocess.DEVNULL)
    archive = next((work / client).glob("*.tar.gz"))
    with tarfile.open(archive) as files:
        files.extractall(work / client / "source", filter="data")
    source = next((work / client / "source").iterdir())
    if client == "python-memcached":
        (source / "tests/__init__.py").touch()
        (source / "tests/utils.py").write_text(CAPTURED)
    if client == "pylibmc":
        # What is built is installed; the sources beside it would hide that.
        (source / "src").rename(source / "sources")
    if client != "pymemcache":
        for file in (source / "tests").glob("*.py"):
            if file.name != "test_translate.py":
                # Their address stands in the tests themselves.
                text = file.read_text().replace("11211", port)
                file.write_text(text.replace("elasticache()", "elasticache(address='127.0.0.1:%s')" % port))
    return python, source


def suite(client, work, port, libmc_tests):
    python, source = prepare(client, work, port, libmc_tests)
    if source is None:
        return "not run: its sdist has no tests; --libmc-tests names those of its repository"
    if client == "libmc":
        for number in LIBMC_PORTS:
            lead(number, int(port))
    _, _, tests, skipped, options = CLIENTS[client]
    leave = ["-k", " and ".join("not " + name for name in skipped)] if skipped else []
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rsxf", *leave, *(o.format(port=port) for o in options), *tests]
    done = subprocess.run([str(part) for part in command], cwd=source, capture_output=True, text=True, timeout=900,
                          env={**os.environ, "MEMCACHED_HOST": "127.0.0.1", "MEMCACHED_PORT": port})
    lines = done.stdout.strip().splitlines()
    told = [line for line in lines if re.match(r"(FAILED|ERROR|SKIPPED|XFAIL)", line)]
    return "\n".join([lines[-1] if lines else done.stderr[-500:]] + ["    " + line for line in told])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*")
    parser.add_argument("--address")
    parser.add_argument("--dae", default="target/debug/dae")
    parser.add_argument("--libmc-tests")
    parser.add_argument("--keep", help="a folder to work in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(args.keep or temporary)
        served = None
        address = args.address
        if not address:
            app = work / "app"
            app.mkdir(parents=True, exist_ok=True)
            (app / "app.yaml").write_text("application: clients\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n")
            (app / "app.py").write_text("def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n")
            (app / "pip-req.txt").write_text("")
            dae = pathlib.Path(args.dae).resolve()
            served = subprocess.Popen([dae, "-C", app, "serve", "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for line in served.stderr:
                if "started" in line:
                    break
            address = run(dae, "-C", app, "run", "--", "printenv", "DAE_MEMCACHE", capture_output=True, text=True).stdout.strip()
        try:
            for client in args.clients or CLIENTS:
                print("%s %s: %s" % (client, CLIENTS[client][0], suite(client, work, address.rpartition(":")[2], args.libmc_tests)), flush=True)
                for name, reason in CLIENTS[client][3].items():
                    print("    left out: %s: %s" % (name, reason), flush=True)
        finally:
            if served:
                served.terminate()
                served.wait()


if __name__ == "__main__":
    main()
