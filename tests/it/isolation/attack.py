"""What a hostile app tries against another app of the same node. Each attempt tells what came of it."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)


def calls(number, *args):
    """A system call by its number: who has no name for it in C may try it all the same."""
    if LIBC.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "done"


def read(path):
    with open(path, "rb") as file:
        return repr(file.read(100))


def write(path):
    with open(path, "ab") as file:
        file.write(b"left was here")
    return "written"


def ask(address, words):
    """What a server says to these words; nothing where it hangs up."""
    if isinstance(address, str):
        stream = socket.socket(socket.AF_UNIX)
    else:
        stream = socket.socket()
        address = tuple(address)
    stream.settimeout(20)
    stream.connect(address)
    try:
        stream.sendall(words.encode())
        said = stream.recv(200)
    except (ConnectionResetError, BrokenPipeError):
        said = b""
    return repr(said) if said else "hung up"


def sign_in(port, user, password):
    import pymysql

    pymysql.connect(host="127.0.0.1", port=port, user=user, password=password).close()
    return "signed in"


def signals(pid, number):
    os.kill(pid, number)
    return "sent"


def eat(megabytes):
    held = bytearray(megabytes << 20)
    return "%d MB" % (len(held) >> 20)


def fill(folder, megabytes):
    """Files of four megabytes each; none is too large by itself."""
    import time

    number = 0
    began = time.monotonic()
    try:
        while time.monotonic() - began < 60:
            with open(os.path.join(folder, "filler-%d" % number), "wb") as file:
                file.write(os.urandom(4 << 20))
            number += 1
            if number * 4 >= megabytes:
                # Enough for the node to see; now it is only a matter of time.
                time.sleep(0.2)
                number -= 1
        return "never refused"
    finally:
        for entry in os.listdir(folder):
            if entry.startswith("filler-"):
                os.remove(os.path.join(folder, entry))


def bomb(count):
    """Forks, so many at most; each waits until its parent is gone or lets it go."""
    children = []
    hear, tell = os.pipe()
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                os.close(tell)
                os.read(hear, 1)
                os._exit(0)
            children.append(pid)
        return "%d of them" % len(children)
    finally:
        os.close(tell)
        for pid in children:
            os.waitpid(pid, 0)


def together(count, megabytes):
    """Each of them has less than is allowed, and all have more; until one is ended. By which signal that was."""
    hear, tell = os.pipe()
    children = set()
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(tell)
            held = b"x" * (megabytes << 20)
            os.read(hear, 1)
            os._exit(len(held) == 0)
        children.add(pid)
    ended, status = os.wait()
    os.close(tell)
    for pid in children - {ended}:
        os.waitpid(pid, 0)
    return "ended by %d" % os.WTERMSIG(status)


def spin(count, seconds):
    """So many processes that do nothing but compute, for so long."""
    import time

    until = time.monotonic() + seconds
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            while time.monotonic() < until:
                pass
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return "spun"


def shared(key):
    """Memory that processes share by a number, as System V had it."""
    number = LIBC.shmget(key, 0, 0)
    LIBC.shmat.restype = ctypes.c_void_p
    at = LIBC.shmat(number, None, 0)
    if number < 0 or at == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return repr(ctypes.string_at(at, 8))


def own_things():
    """What any app may do."""
    import multiprocessing

    multiprocessing.Lock()
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    from dae.api.memcache import mc
    from dae.api.permdir import get_permdir

    with open(os.path.join(get_permdir(), "mine"), "w") as file:
        file.write("x")
    mc.set("k", "v")
    code = subprocess.run(["/bin/sh", "-c", "exit 7"]).returncode
    return "%s %d %d" % (mc.get("k"), code, len(os.listdir(os.environ["DAE_APPROOT"])) > 0)


def attempts(targets):
    """Everything that must not be."""
    t = targets
    for name, path in t["files"].items():
        yield "read " + name, read, (path,)
    for name, path in t["folders"].items():
        yield "list " + name, lambda path: repr(os.listdir(path)), (path,)
    for name, path in t["writes"].items():
        yield "write " + name, write, (path,)
    for name, (address, words) in t["services"].items():
        yield "ask " + name, ask, (address, words)
    yield "sign in", sign_in, (t["mysql_port"], os.environ["DAE_MYSQL_USER"], os.environ["DAE_MYSQL_PASSWORD"])
    yield "environment", read, ("/proc/%d/environ" % t["pid"],)
    yield "memory", read, ("/proc/%d/mem" % t["pid"],)
    yield "working folder", lambda pid: os.listdir("/proc/%d/cwd" % pid), (t["pid"],)
    yield "signal", signals, (t["pid"], signal.SIGTERM)
    yield "kill", signals, (t["pid"], signal.SIGKILL)
    yield "kill the node", signals, (t["node"], signal.SIGTERM)
    yield "names of all sockets", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4), ()
    yield "shared memory", shared, (t["shared"],)
    yield "queue of messages", calls, (240, b"left", os.O_CREAT | os.O_RDWR, 0o600, None)
    yield "ptrace", calls, (101, 16, t["pid"], 0, 0)
    yield "limits of others", calls, (302, t["pid"], 7, ctypes.byref((ctypes.c_uint64 * 2)(0, 0)), None)
    yield "mount", calls, (165, b"none", b"/mnt", b"tmpfs", 0, None)
    yield "namespace", calls, (272, 0x10000000)
    yield "keys", calls, (250, 0, -3, 1)
    yield "bpf", calls, (321, 0, None, 0)
    yield "x32", calls, (0x40000000 | 521, 16, t["pid"], 0, 0)
    yield "root", lambda: os.setuid(0) or ("root" if os.path.exists("/root/.") and os.listdir("/root") else "no"), ()


def run(targets):
    told = {}
    for name, act, args in attempts(targets):
        try:
            told[name] = str(act(*args))
        except Exception as error:
            told[name] = "refused: %s" % type(error).__name__
    try:
        told["own"] = own_things()
    except Exception as error:
        told["own"] = "%s: %s" % (type(error).__name__, error)
    return told


def greedy(what):
    """One way of taking too much."""
    try:
        if what == "memory":
            return eat(600)
        if what == "together":
            return together(4, 100)
        if what == "forks":
            return bomb(400)
        if what == "spin":
            return spin(2 * os.cpu_count(), 2)
        return fill(os.environ["DAE_PERMDIR"], 64)
    except (OSError, MemoryError) as error:
        return "refused: %s" % type(error).__name__


def main():
    import sys

    if len(sys.argv) > 2:
        return print(greedy(sys.argv[2]), flush=True)
    with open(os.path.join(os.environ["DAE_PERMDIR"], "targets.json")) as file:
        told = run(json.load(file))
    with open(os.path.join(os.environ["DAE_PERMDIR"], "told-%s.new" % sys.argv[1]), "w") as file:
        json.dump(told, file)
    os.rename(file.name, file.name[:-4] + ".json")


if __name__ == "__main__":
    main()
