"""The folder of this process for what does not fit into memory; gone with the process.

In an app it is below `.dae`, so on the disk that the app is on. What a killed process left there goes with the next one.
"""

import atexit
import fcntl
import itertools
import os
import pickle
import shutil
import tempfile
import weakref

_counter = itertools.count()
_mine = None
CHUNK = 2000


class Store:
    def __init__(self):
        base = self.base()
        os.makedirs(base, mode=0o700, exist_ok=True)
        self.pid = os.getpid()
        with open(os.path.join(base, "lock"), "w") as making:
            # One at a time: a folder whose lock is not held yet would be taken for a dead process's.
            fcntl.flock(making, fcntl.LOCK_EX)
            sweep(base)
            self.folder = tempfile.mkdtemp(prefix="%d-" % os.getpid(), dir=base)
            # Held as long as this process or a child of it lives.
            self.lock = open(os.path.join(self.folder, "lock"), "w")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        atexit.register(self.remove)

    @staticmethod
    def base():
        root = os.environ.get("DAE_APPROOT")
        if root and os.environ.get("DAE_ENV") == "SDK" and os.access(os.path.join(root, ".dae"), os.W_OK):
            return os.path.join(root, ".dae", "dpark")
        return os.path.join(tempfile.gettempdir(), "dae-dpark-%d" % os.getuid())

    def remove(self):
        if os.getpid() == self.pid:
            shutil.rmtree(self.folder, ignore_errors=True)


def sweep(base):
    """Takes away the folders that nobody holds."""
    for name in os.listdir(base):
        folder = os.path.join(base, name)
        try:
            with open(os.path.join(folder, "lock")) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # In use.
            pass


def store():
    """This process's; a worker has that of the process it was forked from."""
    global _mine
    from . import task

    if _mine is None or (_mine.pid != os.getpid() and not task.in_worker()):
        _mine = Store()
    return _mine


def new_path(kind):
    return os.path.join(store().folder, "%s-%d-%d" % (kind, os.getpid(), next(_counter)))


def keep_for(owner, paths):
    """The files go when `owner` does; `paths` may still grow."""
    weakref.finalize(owner, forget, os.getpid(), paths).atexit = False


def forget(pid, paths):
    if os.getpid() != pid:
        # A worker's copy of the owner has gone, which says nothing.
        return
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.exists(path):
            os.remove(path)


def write_all(path, items):
    """Writes a file that is whole or not there."""
    under_way = "%s.%d.tmp" % (path, os.getpid())
    with open(under_way, "wb") as file:
        for chunk in chunks(items):
            pickle.dump(chunk, file, pickle.HIGHEST_PROTOCOL)
    os.replace(under_way, path)


def read_all(path):
    return itertools.chain.from_iterable(_read(path))


def _read(path):
    with open(path, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return


def chunks(items, size=CHUNK):
    items = iter(items)
    while chunk := list(itertools.islice(items, size)):
        yield chunk
