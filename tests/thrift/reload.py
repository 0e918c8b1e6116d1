"""500 calls a second, on connections of the generated client and on one of Apache's library that is never closed, until it is
interrupted. Says each new answer of `retrieve(1).blurb` as it comes, and at the end how many calls failed.

    python reload.py [HOST:PORT]      with daetest_client on the path
"""

import signal
import sys
import threading
import time

from daetest_client import UserStorage
from daetest_client.service_gen.user.UserStorage import METHODS
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

THREADS, RATE = 4, 500
seen, failed, calls, stop = set(), [], [0] * (THREADS + 1), threading.Event()
slowest = [0.0] * (THREADS + 1)
method = METHODS["retrieve"]


def note(who, answer, since):
    calls[who] += 1
    slowest[who] = max(slowest[who], time.monotonic() - since)
    if answer.blurb not in seen:
        seen.add(answer.blurb)
        print("saw", answer.blurb, flush=True)


def generated(number):
    turn = time.monotonic()
    while not stop.is_set():
        since = time.monotonic()
        try:
            note(number, UserStorage.retrieve(1), since)
        except Exception as error:
            failed.append(repr(error))
        turn += THREADS / RATE
        time.sleep(max(0, turn - time.monotonic()))


def apache(address):
    transport = TBufferedTransport(TSocket(*address))
    transport.open()
    protocol = TBinaryProtocolAccelerated(transport)
    while not stop.is_set():
        since = time.monotonic()
        try:
            protocol.writeMessageBegin("retrieve", 1, 1)
            method.args(1).write(protocol)
            protocol.writeMessageEnd()
            transport.flush()
            protocol.readMessageBegin()
            result = method.result()
            result.read(protocol)
            protocol.readMessageEnd()
            note(THREADS, result.success, since)
        except Exception as error:
            failed.append("Apache: " + repr(error))
            return
        time.sleep(0.02)


address = next(iter(UserStorage._known()))
threads = [threading.Thread(target=generated, args=(number,)) for number in range(THREADS)]
threads.append(threading.Thread(target=apache, args=(address,)))
signal.signal(signal.SIGINT, lambda *_: stop.set())
[thread.start() for thread in threads]
while not stop.is_set():
    time.sleep(0.05)
[thread.join() for thread in threads]
print("calls", sum(calls[:-1]), "on one connection", calls[-1], "slowest", round(max(slowest) * 1000), "ms")
print("failed", failed[:5], len(failed))
