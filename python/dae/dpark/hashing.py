"""A hash that is the same in every process and on every machine: a partition is found by it."""

import zlib

# A prime of 64 bits' size, to tell (1, 2) from (2, 1).
STEP = 1_000_003
MASK = (1 << 64) - 1


def portable_hash(key):
    kind = type(key)
    if kind is int:
        return hash(key)
    if kind is str:
        return zlib.crc32(key.encode("utf-8", "surrogatepass"))
    if kind is bytes:
        return zlib.crc32(key)
    if key is None:
        return 1_315_925_605
    if isinstance(key, tuple):
        found = len(key)
        for part in key:
            found = (found * STEP ^ portable_hash(part)) & MASK
        return found
    if isinstance(key, frozenset):
        found = len(key)
        for part in key:
            found ^= portable_hash(part) * STEP & MASK
        return found
    if isinstance(key, str):
        return zlib.crc32(str(key).encode("utf-8", "surrogatepass"))
    if isinstance(key, (list, dict, set, bytearray)):
        raise TypeError("a %s cannot be a key: %.80r" % (kind.__name__, key))
    # Numbers that are equal have one hash, everywhere; other objects one as long as all processes are forks of this one.
    return hash(key)
