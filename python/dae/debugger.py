"""One debugger at a time at a terminal: processes and threads that share one, as the workers of a web server do, take turns.

The lock is the terminal's own (flock), so it ends with the process that holds it.
"""

import fcntl
import functools
import os
import sys
import threading


# A program that is under way for so long after a step may never come back to the debugger: others need not wait for it.
UNDER_WAY = 1


class Turn:
    """The right to speak at this process's terminal: from the first prompt until the program goes on."""

    def __init__(self):
        self.clear()
        # A child is not at its parent's turn, and shares no lock with it.
        os.register_at_fork(after_in_child=self.clear)

    def clear(self):
        self.lock = threading.Lock()
        self.owner = self.file = self.timer = None

    def take(self):
        """Waits for it, where this thread does not have it."""
        timer, me = self.timer, threading.get_ident()
        if timer and self.owner == me:
            timer.cancel()
        if self.owner == me:
            return
        self.lock.acquire()
        self.owner = me
        try:
            self.file = os.open(os.ttyname(0), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            fcntl.flock(self.file, fcntl.LOCK_EX)
        except OSError:
            # No terminal, or one that knows no locks: then there is none to share.
            pass

    def pause(self):
        """It steps on, and most likely comes back at once."""
        owner = self.owner
        if owner == threading.get_ident():
            self.timer = threading.Timer(UNDER_WAY, self.give_back, [owner])
            self.timer.daemon = True
            self.timer.start()

    def give_back(self, owner=None):
        if self.owner is None or self.owner != (owner or threading.get_ident()):
            return
        if self.timer:
            self.timer.cancel()
        file, self.owner, self.file, self.timer = self.file, None, None, None
        if file is not None:
            # This is the only copy of it: with it ends the lock.
            os.close(file)
        self.lock.release()


def patch(module):
    """Has every `pdb.Pdb`, and so what builds on it, take turns."""
    turn = Turn()
    kind = module.Pdb
    interaction = kind.interaction

    @functools.wraps(interaction)
    def in_turn(self, *args, **kwargs):
        # Some bring their own way to whoever types.
        if self.stdin is not sys.stdin:
            return interaction(self, *args, **kwargs)
        turn.take()
        try:
            return interaction(self, *args, **kwargs)
        finally:
            turn.pause()

    kind.interaction = in_turn
    for name in ["set_continue", "set_quit"]:
        setattr(kind, name, ends(getattr(kind, name), turn))


def ends(method, turn):
    @functools.wraps(method)
    def and_ends(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        finally:
            turn.give_back()

    return and_ends
