"""The web processes of a generation: gunicorn with the worker class app.yaml asks for."""

import os
import socket
import sys

import gunicorn.app.base

from dae import lifeline, source
from dae.dispatch import application

WORKER_CLASSES = {"async": "gevent", "sync": "gthread", "asgi": "asgi"}


class Server(gunicorn.app.base.BaseApplication):
    """gunicorn, told by a dict instead of a command line."""

    def __init__(self, config):
        self.config = config
        super().__init__()

    def load_config(self):
        config = self.config
        development = config["environment"] == "SDK"
        settings = {
            "bind": ["unix:" + config["socket"]],
            "workers": config["nworkers"],
            "worker_class": WORKER_CLASSES[config["worker"]],
            "threads": 1,
            # The gateway closes a free connection before this, so a request never meets a closing one.
            "keepalive": 75,
            # A request that stops in the debugger is not a hung worker.
            "timeout": 0 if development else 120,
            "graceful_timeout": 5 if development else 30,
            "umask": 0o077,
            "forwarded_allow_ips": "*",
            # Else any client could say by a header which part of its path is not the app's.
            "forwarder_headers": "",
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "dae " + config["app"],
            "chdir": config["root"],
            "post_fork": lambda arbiter, worker: lifeline.hold(),
            "post_worker_init": lambda worker: ready(config),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        if self.config.get("gate"):
            wait(self.config["gate"])
        try:
            return application(self.config)
        # Whatever ends an import, sys.exit() included, is told as the app's failure.
        except BaseException as error:
            tell(self.config, {"broken": source.explain(error, self.config["root"])})
            # The code by which a gunicorn worker says that its app cannot be loaded.
            sys.exit(4)


def wait(gate):
    """Returns when nobody holds the lock of the file `gate`: the app is wanted now."""
    import fcntl
    import importlib

    with open(gate) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    # What was listed while this waited may be out of date.
    importlib.invalidate_caches()


def ready(config):
    """Tells that this worker answers; before that, where a warm parent is kept, what it could import for the next one."""
    if config.get("likeness"):
        from dae import likeness

        likeness.write(config["likeness"], config["root"])
    names = source.borrowed(config["root"]) if config["learn"] else None
    if names is not None:
        tell(config, {"learned": names})
    tell(config, {"ready": os.getpid()})


def tell(config, message):
    import json

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        try:
            out.sendto(json.dumps(message).encode(), config["notify"])
        except OSError:
            # Nobody listens any more, for this generation is not wanted now; or a list is too long for one datagram,
            # and then the next generation only starts slower.
            pass


def serve(config):
    if config.get("likeness"):
        from dae import likeness

        likeness.note_machinery()
    if config["environment"] == "SDK":
        source.never_stale(config["root"])
    Server(config).run()
