"""A warm parent: has imported the packages an app uses, and forks a generation whenever it is told to.

Run as a program with one JSON value in ``DAE_BOOT``: the keys of boot.py that are the same for every generation, `root` (a
folder of its own, not the app's), and

    control     path of the unix stream socket to talk on, one JSON value a line
    preload     names of the modules to import, in this order; never the app's own

It says ``{"warm": {"refused": ..., "failed": [...], "files": [...]}}`` once: `refused` is null, or why nothing may be forked from
it; `failed` names what could not be imported without the app; `files` are those of packages that it has imported. Then it hears ``{"fork": ID, "config": {...}}``, where
`config` has all keys of boot.py, or those of services.py and `env`, and `output`, the path of a terminal or a named pipe to print to, and says
``{"forked": ID, "pid": PID}``, and ``{"ended": PID, "code": N}`` or ``{"ended": PID, "signal": N}`` when one is gone.
When nobody is there to talk to any more, it ends.
"""

import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import stat
import sys
import termios
import threading


def main():
    config = json.loads(os.environ.pop("DAE_BOOT"))
    import boot

    # Without the app's own code: it must be new in every generation.
    boot.set_path(config)
    sys.path.remove(config["root"])
    if config["worker"] == "async":
        # Before anything that keeps a reference to what is patched.
        from gevent import monkey

        monkey.patch_all()
    from dae import lifeline, web  # noqa: F401  (every generation needs it)

    lifeline.hold()

    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.connect(config["control"])
    if config.get("likeness"):
        from dae import likeness

        likeness.note_machinery()
    parent = Parent(config, control)
    parent.preload()
    parent.run()


class Parent:
    """Talks over `control`; forks.

    Everything here works below gevent's patches: their event loop must not exist before a fork.
    """

    def __init__(self, config, control):
        self.config = config
        self.control = control
        self.buffer = b""

    def preload(self):
        from dae import source

        failed = []
        for name in self.config["preload"]:
            try:
                importlib.import_module(name)
            # It wants the app's settings, most likely; then it is imported after the fork.
            except BaseException:
                failed.append(name)
        source.inherited = frozenset(sys.modules)
        gc.collect()
        # What is here now is never garbage, so no collection needs to touch and so copy its pages.
        gc.freeze()
        self.say({"warm": {"refused": self.refusal(), "failed": failed, "files": self.files()}})

    def files(self):
        """What would be another module if it changed. Python's own library and the runtime set do not."""
        library, site = os.path.dirname(os.__file__) + os.sep, os.sep + "site-packages" + os.sep
        ours = self.config["runtime"] + os.sep
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        return [file for file in files if file and not file.startswith(ours) and (site in file or not file.startswith(library))]

    def refusal(self):
        """Why a fork would not be like a fresh start, or None."""
        threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        if threads:
            return f"a package starts a thread when it is imported ({threads[0]})"
        try:
            files = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if exists(number)]
        except OSError:
            return None
        if sum(target.startswith("socket:") for target in files) > 1:
            return "a package opens a connection when it is imported"
        return None

    def say(self, message):
        send(self.control, json.dumps(message).encode() + b"\n")

    def run(self):
        # The other end of this pipe gets a byte for every signal.
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        on_signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready = select([self.control.fileno(), reader])
            if reader in ready:
                try:
                    os.read(reader, 4096)
                except BlockingIOError:
                    pass
                self.reap()
            if self.control.fileno() in ready:
                data = receive(self.control)
                if not data:
                    return
                self.buffer += data
                *lines, self.buffer = self.buffer.split(b"\n")
                for line in lines:
                    self.fork(json.loads(line), (reader, writer))

    def reap(self):
        while True:
            try:
                pid, status = waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if os.WIFSIGNALED(status):
                self.say({"ended": pid, "signal": os.WTERMSIG(status)})
            else:
                self.say({"ended": pid, "code": os.WEXITSTATUS(status)})

    def fork(self, request, pipe):
        hear, tell = os.pipe()
        pid = fork()
        if pid:
            close(tell)
            # Until it leads a group of its own and has opened its output; or has ended.
            os.read(hear, 1)
            close(hear)
            return self.say({"forked": request["fork"], "pid": pid})
        code = 1
        try:
            close(hear)
            leave(request["config"]["output"])
            close(tell)
            self.become(request["config"], pipe)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            # Not sys.exit(): above this frame stands the parent's own story.
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)

    def become(self, config, pipe):
        """The child: a generation like any other."""
        signal.set_wakeup_fd(-1)
        on_signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in pipe:
            close(number)
        self.control.close()
        os.environ.update(config["env"])
        os.chdir(config["root"])
        sys.path.insert(0, config["root"])
        if "numpy" in sys.modules:
            # Python's own generator reseeds itself after a fork; numpy's does not.
            sys.modules["numpy"].random.seed()
        from dae import lifeline, services, web

        lifeline.hold()
        (services if "services" in config else web).serve(config)


def leave(output):
    """The child's first act: a session of its own, and `output`, a terminal or a named pipe, as its standard streams."""
    os.setsid()
    writes_only = stat.S_ISFIFO(os.stat(output).st_mode)
    # The first terminal that the leader of a session opens becomes its own; where that is not so, the call below does it.
    opened = os.open(output, os.O_WRONLY if writes_only else os.O_RDWR)
    if not writes_only:
        try:
            fcntl.ioctl(opened, termios.TIOCSCTTY, 0)
        except OSError:
            pass
        os.dup2(opened, 0)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    close(opened)


def exists(number):
    return os.path.lexists(f"/proc/self/fd/{number}")


def original(module, name):
    """A function as Python has it, gevent or not."""
    if "gevent.monkey" in sys.modules:
        from gevent import monkey

        return monkey.get_original(module, name)
    return getattr(importlib.import_module(module), name)


def fork():
    return original("os", "fork")()


def close(number):
    # gevent's own waits for its event loop.
    original("os", "close")(number)


def on_signal(number, handler):
    return original("signal", "signal")(number, handler)


def waitpid(pid, options):
    return original("os", "waitpid")(pid, options)


def select(numbers):
    return original("select", "select")(numbers, [], [])[0]


def receive(control):
    return os.read(control.fileno(), 65536)


def send(control, data):
    while data:
        data = data[os.write(control.fileno(), data) :]


if __name__ == "__main__":
    main()
