"""A name server on loopback whose answers change; the generated client follows them.

    python names.py PORT PORT      of two instances of the service, with every_client on the path
"""

import os
import socket
import sys
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import every_client
from every_client import _rt

first, second = (int(port) for port in sys.argv[1:3])
SRV, HOST = "_every._tcp.every.test.", "every.test."


class NameServer:
    """Answers from `zone`, {(name, type): [text]}; silent while that is None."""

    def __init__(self, zone):
        self.zone, self.asked = zone, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, peer = self.sock.recvfrom(4096)
            self.asked += 1
            if self.zone is None:
                continue
            query = dns.message.from_wire(data)
            question = query.question[0]
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            kind = dns.rdatatype.to_text(question.rdtype)
            found = self.zone.get((question.name.to_text().lower(), kind))
            if found:
                answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *found))
            elif not any(name == question.name.to_text().lower() for name, _ in self.zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.sock.sendto(answer.to_wire(), peer)


def srv(*ports):
    return {(SRV, "SRV"): [f"{priority} 1 {port} {HOST}" for priority, port in ports], (HOST, "A"): ["127.0.0.1"]}


server = NameServer(srv((1, first), (9, second)))
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port, resolver.cache = ["127.0.0.1"], server.sock.getsockname()[1], None
resolver.lifetime = 2
# All of this process asks it, `getaddrinfo` too.
dns.resolver.default_resolver = resolver
dns.resolver.override_system_resolver(resolver)
os.environ["DAE_SERVICE_DNS"] = "test"
_rt.FRESH = 0.1
client = every_client.Every


def pid():
    return client.ping("x").split()[1]


def becomes(wanted):
    until = time.monotonic() + 60
    while True:
        seen = {pid() for _ in range(8)}
        if seen == wanted:
            return
        assert time.monotonic() < until, (seen, wanted)
        time.sleep(0.05)


def direct(port):
    return every_client.EveryClient("every", "Every", finder=lambda app, service: [("127.0.0.1", port)]).ping("x").split()[1]


one, two = direct(first), direct(second)
assert one != two
# The least number is the first choice.
assert {pid() for _ in range(8)} == {one}
server.zone = srv((1, first), (1, second))
becomes({one, two})
server.zone = srv((1, second))
becomes({two})
# No SRV record any more: the addresses of the name, on the usual port.
_rt.PORT = first
server.zone = {(HOST, "A"): ["127.0.0.1"]}
becomes({one})
# Nobody answers, or says that there is no such name: what is known stays.
server.zone = None
asked = server.asked
for zone in (None, {}):
    server.zone = zone
    until = time.monotonic() + 60
    while server.asked < asked + 2:
        assert pid() == one and time.monotonic() < until
        time.sleep(0.05)
    asked = server.asked
# Nobody ever said where it is.
try:
    every_client.EveryClient("nobody", "Every").ping("x")
    raise SystemExit("a name that there is not was found")
except every_client.Unavailable as error:
    assert "nobody.test" in str(error), error
print("followed")
