#!/usr/bin/env python3
"""Measures deploys of a one-line change to a Kubernetes cluster, as far as they are dae's own:
`benches/cluster.py [DAE] [--deploys N] [--files N] [--pods SECONDS]`.

The registry is Debian's docker-registry; the API server is one of this script's own, which keeps what is applied and whose pods are
ready `--pods` seconds later. What is told: from starting the command to its end, how much of that the pods took, and the rest.
"""

import argparse
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from hashlib import sha256

parser = argparse.ArgumentParser()
parser.add_argument("dae", nargs="?", default="target/debug/dae")
parser.add_argument("--deploys", type=int, default=20)
parser.add_argument("--files", type=int, default=1500)
parser.add_argument("--pods", type=float, default=2.0, metavar="SECONDS")
args = parser.parse_args()
DAE = shutil.which(args.dae) or os.path.abspath(args.dae)
REGISTRY = shutil.which("docker-registry") or sys.exit("docker-registry is not installed")

place = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-"))
env = {name: value for name, value in os.environ.items() if not name.startswith(("DAE_", "PYTHON", "XDG_", "GIT_", "KUBE"))}
env.update(HOME=str(place), XDG_CONFIG_HOME=str(place / "config"), XDG_RUNTIME_DIR=str(place), NO_COLOR="1")
env["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME", str(pathlib.Path.home() / ".cache"))


class Cluster(http.server.BaseHTTPRequestHandler):
    """Keeps objects by their path; a Deployment's new pods are ready a little later."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    objects, changed, version, requests = {}, threading.Condition(), 0, 0

    def do(self):
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        length = int(self.headers.get("content-length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else None
        with Cluster.changed:
            Cluster.requests += 1
            status, answer = self.answer(path, query, sent)
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def answer(self, path, query, sent):
        objects = Cluster.objects
        if query.get("watch"):
            Cluster.changed.wait(float(query["timeoutSeconds"]))
            return 200, {"type": "MODIFIED", "object": {}}
        if self.command == "GET" and path.rpartition("/")[2] in ("pods", "configmaps", "events"):
            wanted = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
            items = [one for at, one in objects.items() if at.rpartition("/")[0] == path]
            items = [one for one in items if wanted.items() <= one["metadata"].get("labels", {}).items()]
            return 200, {"items": items, "metadata": {"resourceVersion": str(Cluster.version)}}
        if self.command == "POST":
            path += "/" + sent["metadata"]["name"]
        if self.command == "DELETE":
            return (200, objects.pop(path)) if path in objects else gone()
        if self.command == "GET":
            return (200, objects[path]) if path in objects else gone()
        Cluster.version += 1
        old = objects.get(path, {"metadata": {}})
        sent["metadata"]["resourceVersion"] = str(Cluster.version)
        sent["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        objects[path] = sent
        if sent["kind"] == "Deployment":
            sent["status"] = old.get("status", {})
            threading.Timer(args.pods, self.ready, [path, sent["metadata"]["generation"]]).start()
        return 200, sent

    def ready(self, path, generation):
        with Cluster.changed:
            found = Cluster.objects[path]
            count = found["spec"]["replicas"]
            found["status"] = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)
            found["status"]["observedGeneration"] = generation
            Cluster.changed.notify_all()

    def log_message(self, *_):
        pass


def gone():
    return 404, {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"}


def dae(*words, cwd=place):
    ran = subprocess.run([DAE, *words, "--json"], cwd=cwd, env=env, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"dae {' '.join(words)}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def registry(method, path, body=b"", kind="application/octet-stream"):
    url = path if path.startswith("http") else f"http://127.0.0.1:{registry_port}{path}"
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(request) as answer:
        return answer.headers.get("Location")


def blob(content):
    digest = "sha256:" + sha256(content).hexdigest()
    begun = registry("POST", "/v2/python/blobs/uploads/")
    registry("PUT", f"{begun}&digest={digest}", content)
    return {"digest": digest, "size": len(content)}


def put_base(tag):
    """An image that nobody looks into."""
    layer = b"not looked at" * 1000
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    config = {"os": "linux", "architecture": machine, "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    config["rootfs"]["diff_ids"].append("sha256:" + sha256(layer).hexdigest())
    kind = "application/vnd.oci.image.{}".format
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind("manifest.v1+json"),
        "config": {"mediaType": kind("config.v1+json"), **blob(json.dumps(config).encode())},
        "layers": [{"mediaType": kind("layer.v1.tar+gzip"), **blob(layer)}],
    }
    registry("PUT", f"/v2/python/manifests/{tag}", json.dumps(manifest).encode(), manifest["mediaType"])


def spread(times):
    times = sorted(times)
    return f"p50 {statistics.median(times) * 1000:.0f} ms, p95 {times[max(0, round(len(times) * 0.95) - 1)] * 1000:.0f} ms"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


try:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (place / ".kube").mkdir()
    (place / ".kube/config").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }))
    registry_port = free_port()
    (place / "registry.yml").write_text(json.dumps({
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(place / "registry")}},
        "http": {"addr": f"127.0.0.1:{registry_port}"},
    }))
    stored = subprocess.Popen([REGISTRY, "serve", "registry.yml"], cwd=place, env=env, stderr=subprocess.DEVNULL)
    while socket.socket().connect_ex(("127.0.0.1", registry_port)):
        time.sleep(0.05)

    dae("create", "hello", "--template", "flask")
    app = place / "hello"
    for number in range(args.files):
        file = app / "package" / f"part{number % 50}" / f"file{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# file {number}\n" + "x = 1\n" * 20)
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    put_base(subprocess.check_output([app / "venv/bin/python", "-c", ask], text=True).strip())
    here = f"127.0.0.1:{registry_port}"
    dae("remote", "add", "prod", "kubernetes", "--namespace", "shop", "--registry", f"{here}/shop",
        "--base", f"{here}/python:{{python}}", "--domain", "apps.example", "--no-check")
    source = (app / "app.py").read_text()
    walls, pods, own, steps, asked = [], [], [], {}, []
    for number in range(args.deploys + 1):
        (app / "app.py").write_text(f"{source}\n# {number}\n")
        before, began = Cluster.requests, time.perf_counter()
        said = dae("deploy", cwd=app)
        wall = time.perf_counter() - began
        cluster = said[-1]["cluster_ms"] / 1000
        if number == 0:
            print(f"first deploy: {wall * 1000:.0f} ms, {cluster * 1000:.0f} of them the pods'", flush=True)
            continue
        walls.append(wall)
        pods.append(cluster)
        own.append(wall - cluster)
        asked.append(Cluster.requests - before)
        for event in said:
            if event.get("event") in ("pushed", "applied"):
                steps.setdefault(event["event"], []).append(event["took_ms"] / 1000)
    print(f"deploy of one line, {args.files} files, {args.deploys} times, load {os.getloadavg()[0]:.1f}")
    print(f"  to the command's end: {spread(walls)}")
    print(f"  of which the pods: {spread(pods)}")
    print(f"  dae's own: {spread(own)}; requests to the API server: at most {max(asked)}")
    for step, times in steps.items():
        print(f"  {step}: {spread(times)}")
finally:
    if "stored" in globals():
        stored.send_signal(signal.SIGTERM)
        stored.wait(30)
    shutil.rmtree(place, ignore_errors=True)
