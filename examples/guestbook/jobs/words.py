"""Counts the words of all lines, on all processors: `dae run -- python jobs/words.py`."""

import re

from dae.api import dpark

import lines


def words(text):
    return re.findall(r"\w{2,}", text.lower())


if __name__ == "__main__":
    for word, count in dpark.parallelize(lines.texts()).flatMap(words).hot(20):
        print(f"{count:6} {word}")
