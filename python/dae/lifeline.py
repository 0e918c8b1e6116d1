"""A process that must not outlive the one that started it."""

import os
import signal

# prctl(2): the signal a process gets when its parent dies.
PR_SET_PDEATHSIG = 1


def hold():
    """From now on this process is killed when its parent dies. On Linux; elsewhere nothing happens."""
    parent = os.getppid()
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:
        # It died before it could be heard.
        os.kill(os.getpid(), signal.SIGKILL)
