"""What a Scribe server answers, asked by thriftpy2. `PLATFORM_SCRIBE` is its address; `PLATFORM_SCRIBE_LOGS` a folder with a file
`CATEGORY.log` for each category, whose lines end with what was sent."""

import os
import pathlib
import socket
import struct
import time

import pytest
import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TFramedTransportFactory

idl = thriftpy2.load(os.path.join(os.path.dirname(__file__), "scribe.thrift"), module_name="scribe_thrift")


def address():
    host, _, port = os.environ["PLATFORM_SCRIBE"].rpartition(":")
    return host, int(port)


@pytest.fixture
def scribe():
    host, port = address()
    client = make_client(
        idl.scribe, host, port, proto_factory=TBinaryProtocolFactory(), trans_factory=TFramedTransportFactory(), timeout=60_000
    )
    yield client
    client.close()


def log(category):
    path = pathlib.Path(os.environ["PLATFORM_SCRIBE_LOGS"], category + ".log")
    return path.read_text("utf-8").splitlines() if path.exists() else []


def test_entries_are_kept_in_order(scribe):
    entries = [idl.LogEntry(category="order", message=f"line {number}\n") for number in range(500)]
    assert scribe.Log(entries[:250]) == idl.ResultCode.OK
    assert scribe.Log(entries[250:]) == idl.ResultCode.OK
    assert [line.rpartition("line ")[2] for line in log("order")] == [str(number) for number in range(500)]


def test_categories_are_apart_and_words_are_kept(scribe):
    assert scribe.Log([idl.LogEntry("one", "你好"), idl.LogEntry("two", "x")]) == idl.ResultCode.OK
    assert log("one")[-1].endswith("你好") and log("two")[-1].endswith("x")
    assert scribe.Log([]) == idl.ResultCode.OK


def test_it_tells_of_itself(scribe):
    assert scribe.getName()
    assert scribe.getVersion() is not None
    assert scribe.getStatus() == idl.fb_status.ALIVE
    assert scribe.getStatusDetails() == ""
    assert 0 < scribe.aliveSince() <= time.time()
    scribe.Log([idl.LogEntry("counted", "x")])
    assert scribe.getCounters()["received"] == scribe.getCounter("received") >= 1
    assert scribe.getCounter("nonsense") == 0
    assert scribe.getOptions() == {}
    scribe.setOption("a", "b")
    scribe.reinitialize()
    assert scribe.getStatus() == idl.fb_status.ALIVE


def test_a_method_nobody_knows_is_refused_and_the_connection_goes_on(scribe):
    with socket.create_connection(address(), timeout=60) as raw:
        call = b"\x80\x01\x00\x01" + struct.pack(">I", 4) + b"what" + struct.pack(">I", 7) + b"\x00"
        for _ in range(2):
            raw.sendall(struct.pack(">I", len(call)) + call)
            length = struct.unpack(">I", raw.recv(4, socket.MSG_WAITALL))[0]
            answer = raw.recv(length, socket.MSG_WAITALL)
            assert answer[:4] == b"\x80\x01\x00\x03" and answer[8:12] == b"what" and answer[12:16] == struct.pack(">I", 7)
    assert TApplicationException.UNKNOWN_METHOD in struct.unpack(">i", answer[-5:-1])


@pytest.mark.parametrize("bad", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x04nope", struct.pack(">I", 1 << 31) + b"x"])
def test_what_is_no_call_ends_that_connection_alone(scribe, bad):
    with socket.create_connection(address(), timeout=60) as raw:
        try:
            raw.sendall(bad)
            raw.shutdown(socket.SHUT_WR)
            assert raw.recv(1) == b""
        except OSError:
            # It hung up at once.
            pass
    assert scribe.Log([idl.LogEntry("after", "still here")]) == idl.ResultCode.OK
