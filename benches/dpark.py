#!/usr/bin/env python3
"""Counts the words of a file with dae's dpark engine, a plain loop in one process, and dpark 0.5 itself; prints seconds and ratios.

    benches/dpark.py                    200 MB; --mb for another size
    benches/dpark.py --original         dpark too: installed with uv into a virtualenv of its own, with what it takes to run at all

dpark needs a Python up to 3.11. Each runs `--times` times in turns, in a new process; the median counts, start included.
"""

import argparse
import datetime
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parents[1]
PLAIN = """
import sys
counts = {}
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
print(len(counts), sum(counts.values()))
"""
DPARK = """
import sys
from dpark import DparkContext
path = sys.argv.pop(1)
dc = DparkContext()
words = dc.textFile(path).flatMap(lambda line: line.split()).map(lambda word: (word, 1))
counts = words.reduceByKey(lambda x, y: x + y).collectAsMap()
print(len(counts), sum(counts.values()))
"""
# What stands in the way of dpark 0.5 on a Python of today.
SHIM = """
import threading
threading.Thread.isAlive = threading.Thread.is_alive
"""
PARSER = "class HttpParser: pass\nclass ParserError(Exception): pass\nclass NoMoreData(Exception): pass\n"


def text(path, megabytes):
    """Lines of ten words, of 100,000 that are as unevenly frequent as words are."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(100_000)]
    drawn = chance.choices(words, [1 / (rank + 10) for rank in range(len(words))], k=1_000_000)
    block = "".join(" ".join(drawn[at : at + 10]) + "\n" for at in range(0, len(drawn), 10)).encode()
    with open(path, "wb") as file:
        left = megabytes << 20
        while left > 0:
            file.write(block[:left])
            left -= len(block)


def original(folder):
    """A Python that has dpark."""
    venv = folder / "venv"
    (folder / "constraints").write_text("cython<3\nsetuptools<60\n")
    (folder / "overrides").write_text('http-parser; python_version < "3"\n')
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(venv)], check=True)
    install = ["uv", "pip", "install", "-q", "--python", str(venv / "bin/python"), "dpark==0.5.0", "setuptools<60"]
    constraints = ["--build-constraints", str(folder / "constraints"), "--overrides", str(folder / "overrides")]
    subprocess.run(install + constraints, check=True)
    packages = next((venv / "lib").glob("python*")) / "site-packages"
    (packages / "sitecustomize.py").write_text(SHIM)
    (packages / "http_parser").mkdir(exist_ok=True)
    (packages / "http_parser/__init__.py").write_text("")
    for name in ("http", "parser", "pyparser", "reader", "util"):
        (packages / "http_parser" / (name + ".py")).write_text(PARSER)
    return str(venv / "bin/python")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--original", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = str(folder / "words.txt")
        text(path, asked.mb)
        (folder / "plain.py").write_text(PLAIN)
        (folder / "count.py").write_text(DPARK)
        ours = "import sys; sys.path.append(%r); from dae import defaults; defaults.install()\n" % str(HERE / "python")
        (folder / "ours.py").write_text(ours + DPARK)
        runs = {
            "plain loop, one process": [sys.executable, str(folder / "plain.py"), path],
            "dae, local": [sys.executable, str(folder / "ours.py"), path, "-m", "local"],
            "dae, process": [sys.executable, str(folder / "ours.py"), path, "-m", "process"],
        }
        if asked.original:
            python = original(folder)
            for master in ("local", "process"):
                runs["dpark 0.5, " + master] = [python, str(folder / "count.py"), path, "-m", master, "-q"]
        took, answers = {name: [] for name in runs}, set()
        for _ in range(asked.times):
            for name, command in runs.items():
                began = time.perf_counter()
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=folder)
                took[name].append(time.perf_counter() - began)
                answers.add(done.stdout.strip().splitlines()[-1])
        assert len(answers) == 1, "they do not agree: %s" % answers
        base = statistics.median(took["plain loop, one process"])
        print("%d MB, %d processors, load %.1f, %s" % (asked.mb, os.cpu_count(), os.getloadavg()[0], datetime.date.today()))
        for name, seconds in took.items():
            median = statistics.median(seconds)
            print("%-26s %6.1f s (%s)  %.2f of the plain loop" % (name, median, ", ".join("%.1f" % s for s in seconds), median / base))


if __name__ == "__main__":
    main()
