"""Apache's own cross-language test: its ThriftTest.thrift served by dae and called by Apache's own test client, in both protocols and
both transports; and the generated client against that server and against Apache's own test server.

    python thrifttest.py DAE FOLDER

FOLDER is a copy of the repository (`git clone https://github.com/apache/thrift`); `thrift`, Apache's compiler, is on the path, its library
in this Python. A compiler that does not know `uuid` yet gets the file without it. Prints who spoke with whom; exits with 1 if somebody
did not get what was promised.
"""

import asyncio
import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid

dae, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
APP_YAML = """application: thrifttest
version: 1
runtime: python
handlers:
- {url: /.*, wsgi_app: app:app}
services:
- {interface: ThriftTest.ThriftTest, handler: handler:Handler}
"""
HANDLER = """import time

from service_gen.ThriftTest.ttypes import Insanity, Xception, Xception2, Xtruct


def same(self, thing):
    return thing


class Handler:
    testString = testBool = testByte = testI32 = testI64 = testDouble = testBinary = testUuid = testStruct = testNest = same
    testMap = testStringMap = testSet = testList = testEnum = testTypedef = same

    def testVoid(self):
        pass

    def testMapMap(self, hello):
        return {-4: {n: n for n in range(-4, 0)}, 4: {n: n for n in range(1, 5)}}

    def testInsanity(self, argument):
        return {1: {2: argument, 3: argument}, 2: {6: Insanity()}}

    def testMulti(self, arg0, arg1, arg2, arg3, arg4, arg5):
        return Xtruct("Hello2", arg0, arg1, arg2)

    def testException(self, arg):
        if arg == "Xception":
            raise Xception(1001, arg)
        if arg == "TException":
            raise RuntimeError(arg)

    def testMultiException(self, arg0, arg1):
        if arg0 == "Xception":
            raise Xception(1001, "This is an Xception")
        if arg0 == "Xception2":
            raise Xception2(2002, Xtruct("This is an Xception2"))
        return Xtruct(arg1)

    def testOneway(self, seconds):
        time.sleep(seconds / 3)
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def listens(port, process):
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a server does not start")


def by_the_compiler(root):
    """Apache's test client and what its compiler makes of the interface, and whether it knows `uuid`."""
    shutil.copy(folder / "test/py/util.py", root)
    client = (folder / "test/py/TestClient.py").read_text()
    text, knows = (folder / "test/ThriftTest.thrift").read_text(), True
    for knows in (True, False):
        (root / "ThriftTest.thrift").write_text(text)
        ran = subprocess.run(["thrift", "--gen", "py", "ThriftTest.thrift"], cwd=root, capture_output=True, text=True)
        if ran.returncode == 0:
            break
        text = re.sub(r"(?m)^\s*(\d+: )?uuid\s.*$", "", text)
        client = client.replace("def testUuid", "def without_uuid")
    assert ran.returncode == 0, ran.stderr
    (root / "TestClient.py").write_text(client)
    return knows


def raised(call, *args):
    try:
        return call(*args)
    except Exception as error:
        return error


def check(client, types, knows_uuid):
    """All that the interface promises, of the generated client; the number of calls."""
    count = 0

    def call(name, *args):
        nonlocal count
        count += 1
        return getattr(client, name)(*args)

    Xtruct, Insanity, Numberz = types.Xtruct, types.Insanity, types.Numberz
    xtruct = Xtruct("Zero", 1, -3, -5)
    same = {
        "testString": ["", "Python" * 20, "\b\t\n/\\\r{}:パイソン\"", "é" * 100_000],
        "testBool": [True, False], "testByte": [63, -127, -128, 127], "testI32": [-1, 0, 2**31 - 1, -(2**31)],
        "testI64": [1, -34359738368, 2**63 - 1, -(2**63)], "testDouble": [-5.235098235, 0.0, -0.000341012439638598279, 1e300],
        "testBinary": [b"", bytes(range(256)) * 1000], "testStruct": [xtruct, Xtruct()],
        "testNest": [types.Xtruct2(0, xtruct, 0), types.Xtruct2()], "testMap": [{}, {0: 1, 1: 2, -1: -2}],
        "testStringMap": [{}, {"a": "2", "b": "blah", "some": "thing"}], "testSet": [set(), {8, 1, 42}],
        "testList": [[], [1, 4, 9, -42]], "testEnum": [Numberz.FIVE, 99], "testTypedef": [0xFFFFFFFFFFFFFF],
    }  # fmt: skip
    if knows_uuid:
        same["testUuid"] = [uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), uuid.uuid4()]
    for name, values in same.items():
        for value in values:
            answer = call(name, value)
            assert answer == value and type(answer) in (type(value), int), (name, value, answer)
    assert call("testVoid") is None
    assert call("testMapMap", 42) == {-4: {n: n for n in range(-4, 0)}, 4: {n: n for n in range(1, 5)}}
    mad = Insanity({Numberz.FIVE: 5, Numberz.EIGHT: 8}, [Xtruct("Goodbye4", 4, 4, 4), Xtruct("Hello2", 2, 2, 2)])
    assert call("testInsanity", mad) == {1: {2: mad, 3: mad}, 2: {6: Insanity()}}
    answer = call("testMulti", 74, 0xFF00FF, 0xFFFFFFFFD0D0, {0: "abc"}, Numberz.FIVE, 0xF0F0F0)
    assert answer == Xtruct("Hello2", 74, 0xFF00FF, 0xFFFFFFFFD0D0), answer
    assert call("testException", "Safe") is None
    assert raised(call, "testException", "Xception") == types.Xception(1001, "Xception")
    assert type(raised(call, "testException", "TException")).__name__ == "TApplicationException"
    assert raised(call, "testMultiException", "Xception", "x") == types.Xception(1001, "This is an Xception")
    told = raised(call, "testMultiException", "Xception2", "x")
    assert type(told) is types.Xception2 and told.errorCode == 2002, told
    assert told.struct_thing.string_thing == "This is an Xception2", told
    assert call("testMultiException", "", "foobar").string_thing == "foobar"
    since = time.monotonic()
    assert call("testOneway", 3) is None and time.monotonic() - since < 0.9
    assert call("testString", "behind it") == "behind it"
    return count


class Blocking:
    """The asynchronous client, a call at a time."""

    def __init__(self, client):
        self.client, self.loop = client, asyncio.new_event_loop()

    def __getattr__(self, name):
        return lambda *args: self.loop.run_until_complete(getattr(self.client, name)(*args))


def generated(port, knows_uuid):
    import thrifttest_client as package
    from thrifttest_client import aio

    def finder(app, service):
        return [("127.0.0.1", port)]

    count = check(package.ThriftTestClient("thrifttest", "ThriftTest", finder=finder), package, knows_uuid)
    return count + check(Blocking(aio.ThriftTestClient("thrifttest", "ThriftTest", finder=finder)), package, knows_uuid)


def main():
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        root, app = pathlib.Path(temporary), pathlib.Path(temporary) / "app"
        app.mkdir()
        shutil.copy(folder / "test/ThriftTest.thrift", app)
        for name, text in {"app.yaml": APP_YAML, "handler.py": HANDLER, "app.py": "", "pip-req.txt": ""}.items():
            (app / name).write_text(text)
        subprocess.run([dae, "-C", str(app), "service", "gen_client"], check=True, stdout=subprocess.DEVNULL)
        sys.path.insert(0, str(app))
        knows_uuid = by_the_compiler(root)
        print("Apache's compiler", "knows" if knows_uuid else "does not know", "`uuid`")
        port = free_port()
        with open(root / "served", "w") as log:
            served = subprocess.Popen([dae, "-C", str(app), "service", "serve", "--port", str(port)], stdout=log, stderr=log)
        try:
            listens(port, served)
            print("generated client, dae's server:", generated(port, True), "calls as promised")
            for transport, protocol in itertools.product(["buffered", "framed"], ["binary", "accel", "compact", "accelc"]):
                args = [f"--protocol={protocol}", f"--transport={transport}", f"--port={port}", "--host=127.0.0.1"]
                ran = subprocess.run(
                    [sys.executable, "TestClient.py", "--genpydir=gen-py", *args], cwd=root, capture_output=True, text=True
                )
                print(f"Apache's test client, dae's server, {transport}, {protocol}:", ran.stderr.splitlines()[-1])
                if ran.returncode or "Ran" not in ran.stderr:
                    failed.append(ran.stderr)
        finally:
            served.terminate()
            served.wait()
        # The generated client speaks frames of the binary protocol.
        for protocol, kind in itertools.product(["binary", "accel"], ["TThreadedServer", "TThreadPoolServer"]):
            port = free_port()
            args = [f"--protocol={protocol}", "--transport=framed", f"--port={port}", f"--genpydir={root}/gen-py", kind]
            server = subprocess.Popen([sys.executable, folder / "test/py/TestServer.py", *args], stderr=subprocess.DEVNULL)
            try:
                listens(port, server)
                count = generated(port, knows_uuid)
                print(f"generated client, Apache's test server ({kind}), framed, {protocol}:", count, "calls as promised")
            finally:
                server.kill()
                server.wait()
    print(*failed, sep="\n", end="")
    sys.exit(bool(failed))


main()
