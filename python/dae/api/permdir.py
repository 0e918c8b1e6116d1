"""The folder for an app's permanent files: what is in it outlives a deploy, and a `static_files: permdir/\\1` serves it."""

import os


def get_permdir():
    """Its path; the folder is there."""
    path = os.environ.get("DAE_PERMDIR")
    if not path:
        path = os.path.join(os.environ.get("DAE_APPROOT") or os.getcwd(), "permdir")
    os.makedirs(path, exist_ok=True)
    return path


def __getattr__(name):
    # The form of 2011: ``from dae.api.permdir import permdir``.
    if name == "permdir":
        return get_permdir()
    raise AttributeError(name)
