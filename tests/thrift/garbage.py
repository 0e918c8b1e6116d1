"""Wrong bytes at a service's port: each is answered or closed, soon, and the service goes on.

    python garbage.py HOST:PORT     with every_client on the path
"""

import os
import random
import socket
import struct
import sys
import time

from every_client import EveryClient

host, _, port = sys.argv[1].rpartition(":")
ADDRESS = (host, int(port))


def frame(data):
    return struct.pack("!I", len(data)) + data


def call(name, args=b"\0", kind=1):
    return struct.pack("!II", 0x80010000 | kind, len(name)) + name + b"\0\0\0\1" + args


NEST = b"\x0c\0\1" * 200_000
SENT = {
    "a web request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "nothing, closed": b"",
    "one byte, closed": b"\x80",
    "a frame of 2 GB": b"\x7f\xff\xff\xff" + call(b"nothing"),
    "a frame of 4 GB": b"\xff\xff\xff\xff" + call(b"nothing"),
    "a frame that says too little": struct.pack("!I", 5) + call(b"nothing"),
    "a frame that says too much, closed": struct.pack("!I", 500) + call(b"nothing"),
    "an empty frame": struct.pack("!I", 0) + call(b"nothing"),
    "a version there is none of": frame(b"\x80\x02\0\1" + call(b"nothing")[4:]),
    "a name of 2 GB": frame(struct.pack("!II", 0x80010001, 0x7FFFFFFF) + b"x"),
    "a name of 2 GB without a frame": struct.pack("!II", 0x80010001, 0x7FFFFFFF) + b"x",
    "a name that is no text": frame(call(b"\xff\xfe\0")),
    "an unknown method": frame(call(b"nowhere")),
    "an unknown method without a frame": call(b"nowhere"),
    "a message of an unknown type": frame(call(b"nothing", kind=7)),
    "an answer": frame(call(b"nothing", kind=2)),
    "arguments of other types": frame(call(b"echoInt", b"\x0b\0\1\0\0\0\1x\0")),
    "arguments that end too early": frame(call(b"echoInt", b"\x08\0\1\0")),
    "a text of 2 GB": frame(call(b"echoText", b"\x0b\0\1\x7f\xff\xff\xff")),
    "a text of -1 bytes": frame(call(b"echoText", b"\x0b\0\1\xff\xff\xff\xff\0")),
    "a text of 2 GB without a frame, closed": call(b"echoText", b"\x0b\0\1\x7f\xff\xff\xff"),
    "a list of 2 billion": frame(call(b"echoList", b"\x0f\0\1\x08\x7f\xff\xff\xff\0")),
    "a map of 2 billion": frame(call(b"echoMap", b"\x0d\0\1\x08\x08\x7f\xff\xff\xff\0")),
    "a deep nest that nobody knows": frame(call(b"nothing", NEST)),
    "a deep nest of itself": frame(call(b"echo", b"\x0c\0\1" + b"\x0c\0\x11" * 200_000)),
    "a deep nest of lists": frame(call(b"nothing", b"\x0f\0\1" + b"\x0f\0\0\0\1" * 200_000)),
    "a deep nest without a frame": call(b"nothing", NEST),
    "bytes behind the arguments": frame(call(b"nothing") + b"more"),
    "compact, of another version": b"\x82\x3f" + bytes(20),
    "compact, a number without an end": b"\x82\x21" + b"\xff" * 20,
    "compact, a name of 2 GB": b"\x82\x21\0\xff\xff\xff\xff\x07",
    "compact, a deep nest": frame(b"\x82\x21\0\x07nothing" + b"\x1c" * 100_000),
}


def send(data, closes):
    """What comes back until the other side closes, or says something."""
    with socket.create_connection(ADDRESS, 5) as sock:
        sock.settimeout(10)
        try:
            sock.sendall(data)
            if closes:
                sock.shutdown(socket.SHUT_WR)
            return sock.recv(65536)
        except (ConnectionError, BrokenPipeError):
            return b""


def main():
    client = EveryClient("every", "Every", finder=lambda app, service: [ADDRESS])
    before = client.ping("x")
    for what, data in SENT.items():
        since = time.monotonic()
        answer = send(data, "closed" in what)
        took = time.monotonic() - since
        told = "closed" if not answer else repr(bytes(c for c in answer[20:120] if 32 <= c < 127).decode())
        print(f"{what}: {told}")
        assert took < 3, (what, took)
        assert client.ping("x") == before, f"after {what} another process answers"
    chance = random.Random(20261122)
    good = [data for data in SENT.values() if 10 < len(data) < 500]
    for number in range(int(sys.argv[2]) if len(sys.argv) > 2 else 300):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        send(bytes(data), True)
    assert client.ping("x") == before, "after bytes by chance another process answers"
    print("the same process goes on")


main()
