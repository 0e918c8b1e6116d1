"""Starts the processes that answer for an app's Thrift services.

Run as a program: ``python services.py`` with one JSON value in ``DAE_BOOT``. Its keys:

    root, runtime, site, environment, worker, nworkers, notify      as in boot.py
    services    [{name: "user.UserStorage", methods: "service_gen.user.UserStorage", handler: "module:Class"}]
    lender      path of the unix socket that lends the listening ones: one a service, in their order, then the one through which
                a generation gives its connections to the next
    drain       how long answers under way may take when it ends, in seconds
"""

import json
import os
import socket
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as PlainSocket


def main():
    config = json.loads(os.environ.pop("DAE_BOOT"))
    from boot import set_path

    set_path(config)
    from dae import lifeline

    lifeline.hold()
    serve(config)


def serve(config):
    from dae.thrift import server

    count = len(config["services"]) + 1
    # Below gevent's patches, which are there where a warm parent was: gunicorn is yet to fork.
    lender = PlainSocket(AF_UNIX, SOCK_STREAM)
    lender.connect(config["lender"])
    _, fds, _, _ = socket.recv_fds(lender, 1, count)
    lender.close()
    if len(fds) != count:
        raise RuntimeError(f"{count} sockets were to be lent, and {len(fds)} came")
    *listeners, door = [PlainSocket(fileno=fd) for fd in fds]
    server.serve(config, listeners, door)


if __name__ == "__main__":
    main()
