"""Starts one generation of an app's web processes: gunicorn on a unix socket, told what to do by one JSON value.

Run as a program: ``python boot.py`` with the value in ``DAE_BOOT``. Its keys:

    root        the app's code, the working folder
    runtime     the runtime set: gunicorn and this package; behind the app's own packages on sys.path
    site        the app's packages, where no virtualenv brings them; or null
    handlers    [{url, kind: wsgi_app | asgi_app | websocket | static_files, target: "module:callable"}], first match wins
    worker      async | sync | asgi
    nworkers    how many worker processes
    socket      path of the unix socket to answer on
    notify      path of the unix datagram socket that hears {"learned": [module, ...]}, then {"ready": pid}; or
                {"broken": {...}}
    learn       whether "learned" is wanted
    environment SDK | production
    likeness    path of the file that tells what the process is like, for --verify-reload; or null
    gate        path of a file: the app is imported once nobody holds its lock (flock); or null
    env         the variables that are this generation's own: for parent.py; here they are set already
"""

import json
import os
import sys


def main():
    config = json.loads(os.environ.pop("DAE_BOOT"))
    set_path(config)
    from dae import lifeline, web

    lifeline.hold()
    web.serve(config)


def set_path(config):
    """The app's code first, then its packages, then the runtime set."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    sys.path.insert(0, config["root"])
    if config["site"]:
        import site

        site.addsitedir(config["site"])
    sys.path.append(config["runtime"])
    from dae import defaults

    defaults.install()


if __name__ == "__main__":
    main()
