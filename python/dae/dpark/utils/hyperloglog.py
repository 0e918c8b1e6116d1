"""How many different values there are, about, in 64 KiB: HyperLogLog (Flajolet and others, 2007), exact for few."""

import hashlib
import math
import pickle

BITS = 16
REGISTERS = 1 << BITS
FEW = 4096


def hash64(value):
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else pickle.dumps(value, 4)
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


class HyperLogLog:
    def __init__(self, items=(), *_):
        self.few, self.registers = set(), None
        for item in items:
            self.add(item)

    def add(self, value):
        if self.registers is None:
            self.few.add(value)
            if len(self.few) > FEW:
                self.convert()
        else:
            self.count(hash64(value))

    def convert(self):
        self.registers = bytearray(REGISTERS)
        for value in self.few:
            self.count(hash64(value))
        self.few = None

    def count(self, hash):
        at, rest = hash & REGISTERS - 1, hash >> BITS
        rank = 64 - BITS - rest.bit_length() + 1
        if rank > self.registers[at]:
            self.registers[at] = rank

    def update(self, other):
        if other.registers is None:
            for value in other.few:
                self.add(value)
            return
        if self.registers is None:
            self.convert()
        self.registers = bytearray(map(max, self.registers, other.registers))

    def __len__(self):
        if self.registers is None:
            return len(self.few)
        empty = self.registers.count(0)
        if empty > REGISTERS * math.exp(-2.5):
            # Up to 2.5 values a register the empty ones say more.
            return round(REGISTERS * math.log(REGISTERS / empty))
        alpha = 0.7213 / (1 + 1.079 / REGISTERS)
        return round(alpha * REGISTERS**2 / sum(2.0**-rank for rank in self.registers))
