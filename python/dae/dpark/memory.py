"""When a task goes on, on disk: it has used its share of the memory."""

import os

_page = os.sysconf("SC_PAGE_SIZE")
# Bytes; set where tasks are started.
_limit = 1 << 62
_base = 0


def used():
    """Bytes of memory this process has."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * _page
    except OSError:
        import resource
        import sys

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def share(workers, megabytes=None):
    """What each of so many may use."""
    if megabytes:
        return int(megabytes * (1 << 20))
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * _page
    except (ValueError, OSError):
        machine = 4 << 30
    return max(128 << 20, machine // 2 // max(1, workers))


def limit(bytes):
    """From now on: more than this process has."""
    global _limit, _base
    _limit, _base = bytes, used()


class Gauge:
    """Says when what has been gathered must be put away. Memory that was freed need not show, so after the first time in a
    process it also takes half as many records as it took then."""

    # How many records go by between two looks.
    STEP = 20_000
    _least = 1

    def full(self, records):
        if records < Gauge._least or used() - _base < _limit:
            return False
        Gauge._least = max(1000, records // 2)
        return True
