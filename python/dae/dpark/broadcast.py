"""A value for all tasks, sent once: forked processes simply have it."""

import pickle


class Broadcast:
    def __init__(self, value):
        self._value = [value]
        self._bytes = None

    @property
    def value(self):
        if not self._value:
            raise ValueError("this broadcast was cleared")
        return self._value[0]

    @property
    def bytes(self):
        """Its size as it travels."""
        if self._bytes is None:
            self._bytes = len(pickle.dumps(self.value, pickle.HIGHEST_PROTOCOL))
        return self._bytes

    def clear(self):
        self._value = []
