"""A name server on loopback whose answers change; the generated client follows them, on Kubernetes too.

    python names.py PORT PORT SERVICE    of two instances of the service, with every_client on the path; SERVICE is the object
                                         by which Kubernetes knows it, as JSON
"""

import json
import os
import socket
import sys
import tempfile
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset
import every_client
from every_client import _rt

first, second = (int(port) for port in sys.argv[1:3])
HOST = "every-service-every.test."
SRV = "_thrift._tcp." + HOST


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
            name = question.name
            alias = self.zone.get((name.to_text().lower(), "CNAME")) if kind in ("A", "AAAA") else None
            if alias:
                answer.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", *alias))
                name = dns.name.from_text(alias[0])
            found = self.zone.get((name.to_text().lower(), kind))
            if found:
                answer.answer.append(dns.rrset.from_text(name, 0, "IN", kind, *found))
            elif not any(name == question.name.to_text().lower() for name, _ in self.zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.sock.sendto(answer.to_wire(), peer)


def srv(*ports):
    return {(SRV, "SRV"): [f"{priority} 1 {port} {HOST}" for priority, port in ports], (HOST, "A"): ["127.0.0.1"]}


def kubernetes(service, namespace, *pods):
    """The records of a Service whose pods answer at these ports: kubernetes/dns, docs/specification.md."""
    spec = service["spec"]
    assert spec["clusterIP"] == "None", "its name would be one address that is nobody's"
    name = f"{service['metadata']['name']}.{namespace}.svc.cluster.local."
    zone = {(name, "A"): ["127.0.0.1"]}
    for port in spec["ports"]:
        place = f"_{port['name']}._{port['protocol'].lower()}.{name}"
        zone[place, "SRV"] = [f"0 50 {pod} pod-{pod}.{name}" for pod in pods]
    return zone | {(f"pod-{pod}.{name}", "A"): ["127.0.0.1"] for pod in pods}


def alias(service, namespace, to):
    """A Service of type ExternalName, as CoreDNS has it."""
    name = f"{service['metadata']['name']}.{namespace}.svc.cluster.local."
    return {(name, "CNAME"): [to], ("_thrift._tcp." + name, "SRV"): [f"0 100 0 {to}"]}


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
_rt.PORT, usual = first, _rt.PORT
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
    assert "nobody-service-every.test" in str(error), error

# Inside of a pod nothing is set but what Kubernetes sets, and nobody else serves there.
os.environ["DAE_SERVICES"] = os.devnull
service = json.loads(sys.argv[3])
_rt.PORT = usual
assert _rt.PORT == service["spec"]["ports"][0]["port"]
del os.environ["DAE_SERVICE_DNS"]
os.environ["KUBERNETES_SERVICE_HOST"] = "10.96.0.1"
_rt.RESOLV_CONF = os.path.join(tempfile.mkdtemp(), "resolv.conf")
with open(_rt.RESOLV_CONF, "w") as file:
    file.write("nameserver 10.96.0.10\nsearch web.svc.cluster.local svc.cluster.local cluster.local corp.test\noptions ndots:5\n")
# In the caller's own namespace, whatever there is in others.
server.zone = kubernetes(service, "web", first) | kubernetes(service, "every", second)
becomes({one})
server.zone = kubernetes(service, "web", first, second)
becomes({one, two})
# In the one that is called as the app.
server.zone = kubernetes(service, "every", second)
becomes({two})
# In another, to which an alias leads.
_rt.PORT = first
server.zone = kubernetes(service, "shop", second) | alias(service, "web", f"{service['metadata']['name']}.shop.svc.cluster.local.")
becomes({one})
server.zone = {}
try:
    every_client.EveryClient("every", "Every").ping("x")
    raise SystemExit("what is in no namespace was found")
except every_client.Unavailable as error:
    wanted = "the DNS knows no every-service-every.web.svc.cluster.local. and no every-service-every.every.svc.cluster.local."
    assert wanted in str(error), error
print("followed")
