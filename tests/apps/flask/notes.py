import itertools
from dataclasses import dataclass, field


@dataclass
class Note:
    number: int
    text: str


@dataclass
class Notes:
    kept: dict = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self):
        self.add("the first note")

    def add(self, text):
        number = next(self.numbers)
        self.kept[number] = Note(number, text)

    def all(self):
        return list(self.kept.values())

    def find(self, number):
        return self.kept.get(number)
