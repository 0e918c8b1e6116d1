"""One line a stage on stderr, while somebody looks on; a stage that is over in a moment says nothing."""

import os
import sys
import time

PATIENCE = 0.3


class Stage:
    def __init__(self, title, tasks):
        self.title, self.tasks, self.done, self.tried_again = title, tasks, 0, 0
        self.began = self.drawn = time.monotonic()
        self.shown = False
        self.watched = watched()

    def one_done(self):
        self.done += 1
        self.draw()

    def draw(self):
        now = time.monotonic()
        if self.watched and now - self.began > PATIENCE and now - self.drawn > 0.1:
            self.drawn, self.shown = now, True
            self.write("\r%s\x1b[K" % self.line(now))

    def end(self, whole):
        if self.shown or self.watched and time.monotonic() - self.began > PATIENCE:
            self.write("\r%s%s\x1b[K\n" % (self.line(time.monotonic()), "" if whole else ", not finished"))

    def line(self, now):
        again = ", %d tried again" % self.tried_again if self.tried_again else ""
        return "dpark  %-40s %d/%d tasks  %.1f s%s" % (self.title, self.done, self.tasks, now - self.began, again)

    @staticmethod
    def write(text):
        sys.stderr.write(text)
        sys.stderr.flush()


def watched():
    """Whether stderr is a terminal that this process has to itself: what dae supervises writes to a log."""
    try:
        return not supervised() and sys.stderr.isatty() and os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False


def supervised():
    return "dae.report" in sys.modules
