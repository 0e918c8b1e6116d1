"""Every type, exception and kind of call between all that speak Thrift here: the generated client, Apache's library as client
and as server, both protocols, both transports.

    python peers.py HOST:PORT       against a server that answers for every.thrift; then a server of Apache's library
"""

import asyncio
import itertools
import os
import sys
import threading
import uuid

from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated, TBinaryProtocolAcceleratedFactory
from thrift.protocol.TCompactProtocol import TCompactProtocol, TCompactProtocolAccelerated, TCompactProtocolAcceleratedFactory
from thrift.server.TServer import TThreadedServer
from thrift.Thrift import TApplicationException, TFrozenDict, TMessageType, TProcessor
from thrift.transport.TSocket import TServerSocket, TSocket
from thrift.transport.TTransport import (
    TBufferedTransport,
    TBufferedTransportFactory,
    TFramedTransport,
    TFramedTransportFactory,
)

import every_client
from every_client import Color, Either, EveryClient, Everything, Missing, Point, Worse, aio
from every_client.service_gen.every.Every import METHODS

ID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
THING = Everything(
    True, -128, -32768, 2147483647, -(2**63), 0.1, "text 你好 \U0001f600", b"\x00\xff" * 100, ID, Color.BLUE, [1, -1],
    {"a", "b"}, {"k": 2**62}, [[Point(1, 2)], []], {1: {"x": {1, 2}}}, Point(0, 0), Everything(number=7), {Point(1, 1)},
    {Point(2, 2): "two"}, {"i": [1]}, "needed", [Color.RED],
    [{frozenset({1, 2}): {3: {(TFrozenDict({Point(1, 1): "x", Point(0, 1): ""}),), ()}}, frozenset(): {}}, {}],
)  # fmt: skip
ECHOES = {
    "echo": [THING, Everything()],
    "echoBool": [True, False],
    "echoByte": [0, 127, -128],
    "echoShort": [32767, -32768],
    "echoInt": [0, 2**31 - 1, -(2**31)],
    "echoLong": [2**63 - 1, -(2**63)],
    "echoDouble": [0.0, -1.5, 1e300, float("inf")],
    "echoText": ["", "a", "é" * 100_000],
    "echoRaw": [b"", bytes(range(256)), b"x" * 1_000_000],
    "echoUuid": [ID],
    "echoColor": [Color.RED, 99],
    "echoEither": [Either(number=1), Either(text="x"), Either(point=Point(1, 2))],
    "echoList": [[], list(range(10_000))],
    "echoSet": [set(), {1, 2, 3}],
    "echoMap": [{}, {1: 2, 3: 4}],
    "echoNested": [{"a": {Color.RED: Point(1, 2)}, "b": {}}],
    "echoPoints": [[{"a": Point(1, 2)}, {}]],
}


class Generated:
    """The generated client."""

    def __init__(self, address):
        self.client = EveryClient("every", "Every", finder=lambda app, service: [address])

    def call(self, name, *args):
        return getattr(self.client, name)(*args)


class Awaited:
    """Its asynchronous form."""

    def __init__(self, address):
        self.client = aio.EveryClient("every", "Every", finder=lambda app, service: [address])
        self.loop = asyncio.new_event_loop()

    def call(self, name, *args):
        return self.loop.run_until_complete(getattr(self.client, name)(*args))


class Apache:
    """Apache's library, as the code that its compiler generates uses it."""

    def __init__(self, address, transport, protocol):
        self.transport = transport(TSocket(*address))
        self.transport.open()
        self.protocol = protocol(self.transport)

    def call(self, name, *args):
        method, protocol = METHODS[name], self.protocol
        kind = TMessageType.ONEWAY if method.oneway else TMessageType.CALL
        protocol.writeMessageBegin(name, kind, 5)
        method.args(*args).write(protocol)
        protocol.writeMessageEnd()
        protocol.trans.flush()
        if method.oneway:
            return None
        said, kind, number = protocol.readMessageBegin()
        if kind == TMessageType.EXCEPTION:
            error = TApplicationException()
            error.read(protocol)
            protocol.readMessageEnd()
            raise error
        assert (said, number) == (name, 5), (said, number)
        result = method.result()
        result.read(protocol)
        protocol.readMessageEnd()
        return method.returned(result)


class Processor(TProcessor):
    """What Apache's compiler generates for a server, for any service."""

    def __init__(self, handler):
        self.handler = handler

    def process(self, iprot, oprot):
        name, kind, number = iprot.readMessageBegin()
        method = METHODS[name]
        args = method.args()
        args.read(iprot)
        iprot.readMessageEnd()
        result, kind = method.result(), TMessageType.REPLY
        try:
            value = getattr(self.handler, name)(*[getattr(args, one) for one in args.__slots__])
            if any(field and field[0] == 0 for field in result.thrift_spec[:1]):
                result.success = value
        except (Missing, Worse) as error:
            fits = [f[2] for f in result.thrift_spec if f and f[0] and f[3][0] is type(error)]
            if fits:
                setattr(result, fits[0], error)
            else:
                kind, result = TMessageType.EXCEPTION, TApplicationException(6, str(error))
        except Exception as error:
            kind, result = TMessageType.EXCEPTION, TApplicationException(6, str(error))
        if not method.oneway:
            oprot.writeMessageBegin(name, kind, number)
            result.write(oprot)
            oprot.writeMessageEnd()
            oprot.trans.flush()


def raised(call, *args):
    try:
        return call(*args)
    except Exception as error:
        return error


def check(peer, who, ours):
    for name, values in ECHOES.items():
        for value in values:
            answer = peer.call(name, value)
            assert answer == value and type(answer) is not str or answer == value, (who, name, value, answer)
    assert peer.call("nothing") is None
    assert peer.call("ping", "hello").startswith("hello")
    assert peer.call("many", 3, 1, 2) == 312, peer.call("many", 3, 1, 2)
    assert peer.call("kinds", -1, 2**62, {7: "seven"}, Color.BLUE, 3) == f"(-1, {2**62}, {{7: 'seven'}}, 16, 3)"
    assert peer.call("things", THING) == {1: {2: THING, 16: THING}, -1: {}}
    assert peer.call("raises", "") == "fine"
    assert raised(peer.call, "raises", "missing") == Missing("it", 7)
    assert raised(peer.call, "raises", "worse") == Worse(["a", "b"])
    for args, kind in [
        (("raises", "other"), TApplicationException.INTERNAL_ERROR),
        (("raisesNothing", "worse"), TApplicationException.INTERNAL_ERROR),
        (("none",), TApplicationException.MISSING_RESULT),
    ]:
        error = raised(peer.call, *args)
        assert isinstance(error, TApplicationException) and error.type == kind, (who, args, error)
    assert raised(peer.call, "raisesNothing", "missing") == Missing("it", 7)
    if ours:
        error = raised(peer.call, "wrong")
        assert isinstance(error, TApplicationException) and "not of its type" in str(error), (who, error)
    word = str(uuid.uuid4())
    peer.call("note", word)
    # A call that nobody waits for; the next one on the same connection comes behind it.
    assert word in peer.call("noted") or not isinstance(peer, Apache)
    return 1


def clients(address):
    yield "generated", Generated(address)
    yield "generated, asyncio", Awaited(address)


TRANSPORTS = {"buffered": TBufferedTransport, "framed": TFramedTransport}
PROTOCOLS = {
    "binary": TBinaryProtocol,
    "binary in C": TBinaryProtocolAccelerated,
    "binary without versions": lambda transport: TBinaryProtocol(transport, strictWrite=False),
    "compact": TCompactProtocol,
    "compact in C": TCompactProtocolAccelerated,
}


def apache_servers(handler):
    pairs = itertools.product(
        (TBufferedTransportFactory(), TFramedTransportFactory()),
        (TBinaryProtocolAcceleratedFactory(), TCompactProtocolAcceleratedFactory()),
    )
    for transport, protocol in pairs:
        socket = TServerSocket("127.0.0.1", 0)
        socket.listen()
        address = socket.handle.getsockname()[:2]
        socket.listen = lambda: None
        server = TThreadedServer(Processor(handler), socket, transport, protocol, daemon=True)
        threading.Thread(target=server.serve, daemon=True).start()
        yield f"{type(transport).__name__} {type(protocol).__name__}", address


def main():
    host, _, port = sys.argv[1].rpartition(":")
    address, count = (host, int(port)), 0
    for who, client in clients(address):
        count += check(client, who, ours=True)
    for (transport, through), (protocol, words) in itertools.product(TRANSPORTS.items(), PROTOCOLS.items()):
        who = f"Apache's client, {transport}, {protocol}"
        count += check(Apache(address, through, words), who, ours=True)
    sys.path.insert(0, sys.argv[2])
    sys.modules["service_gen"] = every_client.service_gen
    sys.modules["service_gen.every"] = __import__("every_client.service_gen.every", fromlist=["ttypes"])
    sys.modules["service_gen.every.ttypes"] = every_client.service_gen.every.ttypes
    from handler import Handler

    for who, address in apache_servers(Handler()):
        # The generated client speaks frames of the binary protocol, as `gen_client` says.
        if who.startswith("TFramed") and "Binary" in who:
            for form, client in clients(address):
                count += apache(client, f"{form}, Apache's server")
    print(count, "pairs agree")


def apache(client, who):
    # Apache's server answers in its own way where the handler breaks the interface, so that is left out.
    for name, values in ECHOES.items():
        for value in values:
            assert client.call(name, value) == value, (who, name, value)
    assert client.call("many", 3, 1, 2) == 312
    assert raised(client.call, "raises", "missing") == Missing("it", 7)
    assert raised(client.call, "raises", "worse") == Worse(["a", "b"])
    assert isinstance(raised(client.call, "raises", "other"), TApplicationException)
    assert isinstance(raised(client.call, "none"), TApplicationException)
    client.call("note", "x")
    assert "x" in client.call("noted")
    return 1


if __name__ == "__main__":
    main()
