"""Runs one part of an app in a container of its image, where nothing of dae is around it::

    container.py web                  the web processes, on port 8000, or PORT
    container.py run SCRIPT ARGS...   a daemon's or a cron job's script
    container.py ask URL NAME         a cron job that asks for a page
    container.py queue NAME           the workers of a queue
    container.py service INTERFACE    a Thrift service, on port 7303, or PORT

What it is, stands in release.json beside the app; what is the cluster's own comes in the environment.
"""

import json
import os
import signal
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(args):
    with open(os.path.join(TOP, "release.json"), encoding="utf-8") as file:
        release = json.load(file)
    found = "%d.%d" % sys.version_info[:2]
    if found != release["python"]:
        sys.exit(
            f"dae: the app's packages are for Python {release['python']}, and this image has {found};"
            " give the remote another base: dae remote add ... --base python:{python}-slim"
        )
    root = os.path.join(TOP, "app")
    manifest = release["manifest"]
    for name, value in {
        "DAE_ENV": "production",
        "DAE_APPNAME": release["app"],
        "DAE_APPROOT": root,
        "DAE_WORKER": manifest["worker"],
        "DAE_PERMDIR": os.path.join(TOP, "permdir"),
    }.items():
        os.environ.setdefault(name, value)
    os.chdir(root)
    config = {
        "app": release["app"],
        "root": root,
        "runtime": os.path.join(TOP, "runtime"),
        "site": os.path.join(TOP, "site"),
        "manifest": manifest,
        "handlers": list(of_worker(manifest)),
        "worker": manifest["worker"],
        "nworkers": manifest["nworkers"],
        "environment": "production",
        "socket": "",
        "learn": False,
    }
    from boot import set_path

    set_path(config)
    verb, rest = (args[0], args[1:]) if args else ("web", [])
    verbs = {"web": web, "run": run, "ask": ask, "queue": queue, "service": service}
    if verb not in verbs:
        sys.exit(f"dae: {verb} is none of {', '.join(verbs)}")
    return verbs[verb](config, *rest)


def of_worker(manifest):
    """app.yaml's handlers, as far as a worker answers them; see boot.py."""
    for handler in manifest["handlers"]:
        (kind, what), = handler["serves"].items()
        if kind == "static_dir":
            continue
        target = "" if kind == "static_files" else what["module"] + ":" + what["callable"]
        yield {"url": handler["url"], "kind": kind, "target": target}


def web(config):
    import traceback

    from dae import front
    from dae.dispatch import application
    from dae.web import Server

    class Container(Server):
        def load_config(self):
            super().load_config()
            self.cfg.set("bind", ["0.0.0.0:" + os.environ.get("PORT", "8000")])
            self.cfg.set("post_worker_init", lambda worker: None)

        def load(self):
            try:
                return front.around(application(config), config)
            except BaseException:
                # Its end is the container's: whoever watches reads this.
                traceback.print_exc()
                sys.exit(4)

    Container(config).run()


def run(config, script, *args):
    end_when_told()
    if script in ("python", "python3"):
        return program(config, sys.executable, *args)
    if not script.endswith(".py"):
        own = None if "/" in script else of_package(script)
        if own is None:
            return program(config, script, *args)
        sys.argv[:] = [script, *args]
        sys.exit(own.load()())
    import runpy

    sys.argv[:] = [script, *args]
    # As Python itself has it: the script's own folder first.
    sys.path.insert(0, os.path.dirname(os.path.join(config["root"], script)))
    runpy.run_path(script, run_name="__main__")


def of_package(name):
    """The program of that name which one of the packages brings: an image holds none, they would name their maker's folders."""
    from importlib.metadata import distributions

    for distribution in distributions():
        for entry in distribution.entry_points:
            if entry.group == "console_scripts" and entry.name == name:
                return entry
    return None


def program(config, name, *args):
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="dae-") as folder:
        # Any Python that it starts knows the app's packages too.
        with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
            file.write(
                f"import site, sys\nsys.path.remove({folder!r})\nsite.addsitedir({config['site']!r})\n"
                f"sys.path.append({config['runtime']!r})\n"
            )
        before = os.environ.get("PYTHONPATH")
        path = [folder, config["root"], *([before] if before else [])]
        env = dict(os.environ, PYTHONPATH=os.pathsep.join(path))
        try:
            child = subprocess.Popen([name, *args], env=env)
        except OSError as error:
            sys.exit(f"dae: cannot start {name}: {error}")
        signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
        code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)


def end_when_told():
    """The first process of a container hears only the signals that it asks for."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def ask(config, url, name):
    import urllib.error
    import urllib.request

    end_when_told()
    request = urllib.request.Request(url, headers={"X-Dae-Cron": name, "User-Agent": "dae"})
    try:
        with urllib.request.urlopen(request, timeout=3600) as answer:
            status, body = answer.status, answer.read(2000)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(2000)
    except OSError as error:
        sys.exit(f"dae: {url} does not answer: {error}")
    print(f"{url} answered {status}")
    if status >= 400:
        sys.exit(body.decode("utf-8", "replace"))


def queue(config, name):
    from dae.worker import Worker

    for told in config["manifest"]["queues"]:
        if told["name"] == name:
            Worker({**config, "queue": name, "retries": told["retries"], "timeout": told["timeout"]}).work()
            return
    sys.exit(f"dae: app.yaml has no queue {name}")


def service(config, interface):
    import socket
    import tempfile

    from dae.thrift import server

    told = {one["interface"]["idl"] + "." + one["interface"]["service"]: one for one in config["manifest"]["services"]}
    if interface not in told:
        sys.exit(f"dae: app.yaml has no service {interface}")
    idl, _, name = interface.rpartition(".")
    handler = told[interface]["handler"]
    methods = "service_gen." + idl.rpartition(".")[2] + "." + name
    config["services"] = [
        {"name": interface, "methods": methods, "handler": handler["module"] + ":" + handler["callable"]}
    ]
    # As long as a pod has to end.
    config["drain"] = 20
    port = int(os.environ.get("PORT", "7303"))
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
        # Nobody comes after it in this container: what is given away ends with the last of its processes.
        door.bind(os.path.join(folder, "door"))
        door.listen()
        server.serve(config, [socket.create_server(("0.0.0.0", port), backlog=2048)], door, says)


def says(config, message):
    """What dae would hear, whoever watches the container reads."""
    if "ready" in message:
        print(f"Started {config['services'][0]['name']}", flush=True)
    if "broken" in message:
        broken = message["broken"]
        print(broken["traceback"] or broken["message"], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
