"""Thrift in one run: the generated client beside a bare client of Apache's library and one of thriftpy2; dae's server beside
Apache's and thriftpy2's.

    python benches/thrift.py HOST:PORT [ROUNDS]

HOST:PORT is `dae service serve` of an app `daetest` with the talk's user.thrift and `nworkers: 1`, for the others are one process each;
its client on the path; `thrift` and `thriftpy2` are installed. All series take turns, round by round; the least a call took in any
round is told, and medians of what there was in the same round: of the time of the generated client in that of another, and of the calls
a second of dae's server in those of the faster of the others.
"""

import glob
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# This file's own folder: in it `thrift` would be this file.
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))

from daetest_client import UserProfile, UserStorageClient
from daetest_client.service_gen.user.UserStorage import METHODS
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated, TBinaryProtocolAcceleratedFactory
from thrift.server.TServer import TThreadedServer
from thrift.Thrift import TMessageType, TProcessor
from thrift.transport.TSocket import TServerSocket, TSocket
from thrift.transport.TTransport import (
    TBufferedTransport,
    TBufferedTransportFactory,
    TFramedTransport,
    TFramedTransportFactory,
)

CALLS = 250
IDL = """struct UserProfile { 1: i32 uid, 2: string name, 3: string blurb }
service UserStorage { void store(1: UserProfile user), UserProfile retrieve(1: i32 uid) }
"""
method = METHODS["retrieve"]


def generated(address):
    client = UserStorageClient("daetest", "UserStorage", finder=lambda app, service: [address])
    return client.retrieve


def apache(address, through=TFramedTransport):
    """What Apache's compiler generates."""
    sock = TSocket(*address)
    transport = through(sock)
    transport.open()
    sock.handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    protocol = TBinaryProtocolAccelerated(transport)

    def retrieve(uid):
        protocol.writeMessageBegin("retrieve", TMessageType.CALL, 0)
        args = method.args()
        args.uid = uid
        args.write(protocol)
        protocol.writeMessageEnd()
        protocol.trans.flush()
        name, kind, number = protocol.readMessageBegin()
        assert kind == TMessageType.REPLY
        result = method.result()
        result.read(protocol)
        protocol.readMessageEnd()
        if result.success is not None:
            return result.success
        raise AssertionError

    return retrieve


def load_idl():
    import thriftpy2

    with tempfile.NamedTemporaryFile("w", suffix=".thrift", delete=False) as file:
        file.write(IDL)
    return thriftpy2.load(file.name, module_name="bench_thrift")


def thriftpy(address):
    from thriftpy2.protocol import TCyBinaryProtocolFactory
    from thriftpy2.rpc import make_client
    from thriftpy2.transport import TCyFramedTransportFactory

    client = make_client(
        load_idl().UserStorage, *address, proto_factory=TCyBinaryProtocolFactory(), trans_factory=TCyFramedTransportFactory()
    )
    return client.retrieve


class Handler:
    def retrieve(self, uid):
        return UserProfile(uid, "user", "hello")


class Processor(TProcessor):
    def process(self, iprot, oprot):
        name, kind, number = iprot.readMessageBegin()
        args = method.args()
        args.read(iprot)
        iprot.readMessageEnd()
        result = method.result()
        result.success = Handler().retrieve(args.uid)
        oprot.writeMessageBegin(name, TMessageType.REPLY, number)
        result.write(oprot)
        oprot.writeMessageEnd()
        oprot.trans.flush()


def serve_apache():
    sock = TServerSocket("127.0.0.1", 0)
    sock.listen()
    print(sock.handle.getsockname()[1], flush=True)
    sock.listen = lambda: None
    TThreadedServer(Processor(), sock, TFramedTransportFactory(), TBinaryProtocolAcceleratedFactory(), daemon=True).serve()


def serve_thriftpy():
    from thriftpy2.protocol import TCyBinaryProtocolFactory
    from thriftpy2.rpc import make_server
    from thriftpy2.transport import TCyFramedTransportFactory

    idl = load_idl()

    class Dispatch:
        def retrieve(self, uid):
            return idl.UserProfile(uid, "user", "hello")

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = make_server(
        idl.UserStorage, Dispatch(), "127.0.0.1", port,
        proto_factory=TCyBinaryProtocolFactory(), trans_factory=TCyFramedTransportFactory(),
    )  # fmt: skip
    server.trans.listen()
    server.trans.listen = lambda: None
    print(port, flush=True)
    server.serve()


def microseconds(retrieve):
    """Of the wall's clock, and of this thread's own work."""
    since, worked = time.perf_counter(), time.thread_time()
    for _ in range(CALLS):
        retrieve(1)
    return (time.perf_counter() - since) / CALLS * 1e6, (time.thread_time() - worked) / CALLS * 1e6


def serving(port):
    """The processes that hold the socket which listens on a port (proc(5))."""
    with open("/proc/net/tcp") as table:
        fields = [line.split() for line in table]
    wanted = {f"socket:[{one[9]}]" for one in fields if one[1].endswith(f":{port:04X}") and one[3] == "0A"}
    found = set()
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) in wanted:
                found.add(link.split("/")[2])
        except OSError:
            pass
    return found


def worked(pids):
    """Seconds of processor time."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def a_second(address, clients=4, seconds=2.0):
    """Calls a second of several processes, each with one connection; microseconds of the server's processors for each."""
    pids = serving(address[1])
    code = (
        "import importlib.util, os, sys, time\n"
        f"spec = importlib.util.spec_from_file_location('bench', {os.path.abspath(__file__)!r})\n"
        "sys.path.insert(0, os.path.dirname(spec.origin)); bench = importlib.util.module_from_spec(spec); spec.loader.exec_module(bench)\n"
        f"call = bench.apache({address!r}); call(1); print('up', flush=True); sys.stdin.readline()\n"
        f"end, count = time.monotonic() + {seconds}, 0\n"
        "while time.monotonic() < end:\n    call(1); count += 1\n"
        "print(count)\n"
    )
    pipe = subprocess.PIPE
    loads = [subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) for _ in range(clients)]
    [load.stdout.readline() for load in loads]
    since = worked(pids)
    [(load.stdin.write("go\n"), load.stdin.flush()) for load in loads]
    calls = sum(int(load.communicate()[0]) for load in loads)
    return calls / seconds, (worked(pids) - since) / calls * 1e6


def main():
    host, _, port = sys.argv[1].rpartition(":")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    servers, processes = {"dae": (host, int(port))}, []
    for name in ("apache", "thriftpy2"):
        process = subprocess.Popen([sys.executable, __file__, "--serve", name], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        servers[name] = ("127.0.0.1", int(process.stdout.readline()))
    time.sleep(0.5)
    try:
        clients = {"generated": generated, "apache": apache, "thriftpy2": thriftpy}
        # Each against the same server, which is nobody's own here.
        ready = {name: make(servers["apache"]) for name, make in clients.items()}
        calls = {name: [] for name in ready}
        rates = {name: [] for name in servers}
        for _ in range(rounds):
            for name, retrieve in ready.items():
                calls[name].append(microseconds(retrieve))
        for turn in range(max(1, rounds // 6)):
            # Not always behind the same one.
            order = list(servers.items())
            for name, address in order[turn % 3 :] + order[: turn % 3]:
                rates[name].append(a_second(address))
    finally:
        for process in processes:
            process.kill()
    each = zip(*([one[0] for one in rates[name]] for name in ("dae", "apache", "thriftpy2")))
    ratios = [round(dae / max(apache, thriftpy2), 2) for dae, apache, thriftpy2 in each]
    most = {name: round(max(one[0] for one in series)) for name, series in rates.items()}
    least = {name: round(min(one[1] for one in series), 1) for name, series in rates.items()}

    def of(other, which):
        pairs = zip(calls["generated"], calls[other])
        return round(statistics.median(mine[which] / theirs[which] for mine, theirs in pairs), 2)

    told = {
        "us_a_call": {name: round(min(one[0] for one in series), 1) for name, series in calls.items()},
        "us_of_work_a_call": {name: round(min(one[1] for one in series), 1) for name, series in calls.items()},
        "time_of_apache": of("apache", 0),
        "time_of_thriftpy2": of("thriftpy2", 0),
        "work_of_apache": of("apache", 1),
        "work_of_thriftpy2": of("thriftpy2", 1),
        "calls_a_second": most,
        "us_of_the_server_a_call": least,
        "dae_of_the_faster": ratios,
        "dae_of_the_faster_median": statistics.median(ratios),
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        {"apache": serve_apache, "thriftpy2": serve_thriftpy}[sys.argv[2]]()
    else:
        main()
