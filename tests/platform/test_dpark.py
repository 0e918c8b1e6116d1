"""dpark's engine: the same of every engine, and against plain Python. `PLATFORM_DPARK` is a master: local, process, dask://host:port.

dpark's own suite, which says what its names mean, is run by tests/clients/dpark.py.
"""

import bz2
import collections
import gzip
import os
import random
import subprocess
import sys
import time

import pytest

from dae.dpark import DparkContext
from dae.dpark.hashing import portable_hash
from dae.dpark.utils import msgpack

MASTER = os.environ.get("PLATFORM_DPARK", "process")
forked = pytest.mark.skipif(MASTER != "process", reason="of processes on this machine")


@pytest.fixture
def ctx():
    context = DparkContext(MASTER)
    context.init()
    yield context
    context.options.mem, context.options.err = None, 0.0
    context.stop()


def test_what_is_larger_than_memory_goes_on_on_disk(ctx):
    ctx.options.mem = 1
    chance = random.Random(1)
    pairs = [(str(chance.randrange(20_000)), i) for i in range(80_000)]
    rdd = ctx.makeRDD(pairs, 3)
    sums, values = collections.Counter(), collections.defaultdict(list)
    for key, value in pairs:
        sums[key] += value
        values[key].append(value)
    summed = rdd.reduceByKey(lambda a, b: a + b, 3)
    assert summed.collectAsMap() == sums
    if MASTER == "process":
        assert any(len(output) > 1 for output in summed.shuffle.outputs), "nothing went to disk"
    # In the order they came in.
    assert rdd.groupByKey(3).collectAsMap() == values
    other = ctx.makeRDD([(str(i), -i) for i in range(0, 20_000, 3)], 2)
    joined = sorted(rdd.join(other, 3).collect())
    assert joined == sorted((key, (value, -int(key))) for key, value in pairs if int(key) % 3 == 0)
    assert rdd.map(lambda pair: (int(pair[0]), pair[1])).sort(numSplits=3).collect() == sorted((int(k), v) for k, v in pairs)
    assert rdd.sort(key=lambda pair: pair[0], reverse=True, numSplits=2).map(lambda p: p[0]).collect() == sorted((k for k, _ in pairs), reverse=True)


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 1 << 20])
def test_every_line_is_read_once_however_a_file_is_cut(ctx, tmp_path, size):
    for name, text in [("a.txt", b"one\n\ntwo\r\n" * 30), ("b.txt", b"no end"), ("c.txt", b""), ("d.txt", b"\n\n\xff\xfe\nx" + b"y" * 5000 + b"\n")]:
        (tmp_path / name).write_bytes(text)
    expected = []
    for name in "abcd":
        data = (tmp_path / (name + ".txt")).read_bytes()
        expected += [line.decode("utf-8", "surrogateescape") for line in (data[:-1] if data.endswith(b"\n") else data).split(b"\n")] if data else []
    read = ctx.textFile(str(tmp_path), splitSize=size)
    assert read.collect() == expected
    assert ctx.textFile(str(tmp_path / "[ab].txt"), splitSize=size).count() == 91
    # Bytes that are no UTF-8 are written as they were read.
    written = read.mergeSplit(numSplits=1).saveAsTextFile(str(tmp_path / "out"))
    assert b"\n\xff\xfe\n" in open(written[0], "rb").read()


def test_packed_files_and_what_is_not_there(ctx, tmp_path):
    text = b"".join(b"%d\n" % i for i in range(5000))
    (tmp_path / "a.gz").write_bytes(gzip.compress(text[:100]) + gzip.compress(text[100:]))
    (tmp_path / "b.bz2").write_bytes(bz2.compress(text[:77]) + bz2.compress(text[77:]))
    (tmp_path / ".hidden").write_bytes(b"no\n")
    assert ctx.textFile(str(tmp_path)).map(int).reduce(lambda a, b: a + b) == 2 * sum(range(5000))
    for missing in ("nothing", "nothing*"):
        with pytest.raises(FileNotFoundError):
            ctx.textFile(str(tmp_path / missing))


def test_a_task_that_fails_is_told_with_its_traceback_and_the_next_job_runs(ctx):
    def divide(x):
        return 1 // (x - 7)

    with pytest.raises(ZeroDivisionError) as told:
        ctx.makeRDD(range(10), 3).map(divide).collect()
    if MASTER == "process":
        assert "in divide" in str(told.value.__cause__)
    assert ctx.makeRDD(range(10), 3).count() == 10


@forked
def test_a_process_that_dies_has_its_task_done_again(ctx, tmp_path):
    def once(x):
        mark = tmp_path / "died"
        if x == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return x

    added = ctx.accumulator(0)

    def counted(x):
        added.add(1)
        return x

    assert ctx.makeRDD(range(8), 4).map(counted).map(once).collect() == list(range(8))
    assert added.value == 8

    def always(x):
        os._exit(7)

    with pytest.raises(Exception, match="has ended with exit code 7"):
        ctx.makeRDD([1], 1).map(always).collect()


@forked
def test_nothing_outlives_a_job_that_is_given_up(ctx, tmp_path):
    def work(x):
        (tmp_path / str(os.getpid())).touch()
        return x

    results = ctx.runJob(ctx.makeRDD(range(100), 50).map(work).pipe("cat"), list)
    next(results)
    results.close()
    pids = [int(name) for name in os.listdir(tmp_path)]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@forked
def test_a_task_has_no_keyboard_and_no_connection_of_the_script(ctx):
    import socket

    near, far = socket.socketpair()

    def use(x):
        try:
            near.send(b"from the task")
        except OSError:
            return os.read(0, 1)

    with near, far:
        assert ctx.makeRDD([1], 1).map(use).collect() == [b""]


@forked
def test_many_that_begin_at_once_do_not_sweep_each_others_folder_away(ctx, tmp_path):
    script = "import os; from dae.dpark.store import store; s = store(); print(os.path.exists(s.folder)); input(); print(os.path.exists(s.folder))"
    env = dict(os.environ, TMPDIR=str(tmp_path))
    env.pop("DAE_APPROOT", None)
    many = [subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, env=env, text=True) for _ in range(8)]
    assert [one.stdout.readline() for one in many] == ["True\n"] * 8
    assert [one.communicate("\n")[0] for one in many] == ["True\n"] * 8
    (folder,) = tmp_path.iterdir()
    assert os.listdir(folder) == ["lock"]


@forked
def test_large_results_come_whole_and_in_order(ctx):
    parts = ctx.makeRDD(range(6), 6).map(lambda x: bytes([x]) * (3 << 20)).collect()
    assert [part[:1] for part in parts] == [bytes([x]) for x in range(6)] and len(parts[-1]) == 3 << 20


def test_what_is_cached_is_computed_once(ctx):
    added = ctx.accumulator(0)

    def seen(x):
        added.add(1)
        return x

    rdd = ctx.makeRDD(range(20), 4).map(seen).cache()
    assert [rdd.count(), rdd.reduce(lambda a, b: a + b), rdd.take(3)] == [20, 190, [0, 1, 2]]
    assert added.value == 20
    folder = rdd.kept
    rdd.unpersist()
    assert folder is None or not os.path.exists(folder)


def test_a_folder_one_works_in_is_not_emptied(ctx, tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.chdir(tmp_path / "below")
    with pytest.raises(ValueError, match="would be emptied"):
        ctx.makeRDD(["a"]).saveAsTextFile(str(tmp_path))
    with pytest.raises(ValueError, match="outside"):
        ctx.makeRDD([("../../away", "a")]).saveAsTextFileByKey(str(tmp_path / "out"))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_hash_is_the_same_everywhere():
    assert [portable_hash(key) for key in (7, "a", b"a", None, ("a", 1))] == [7, 3904355907, 3904355907, 1315925605, 3903416451214222]
    assert portable_hash((1, "a")) != portable_hash(("a", 1))
    assert portable_hash(True) == portable_hash(1) == portable_hash(1.0)
    with pytest.raises(TypeError):
        portable_hash([1])


def test_messagepack_both_ways():
    values = [None, True, False, 0, 127, 128, -1, -32, -33, 1 << 40, -(1 << 40), (1 << 64) - 1, 1.5, "", "é" * 40, "x" * 70_000, b"\0" * 300]
    values += [[1, [2]], {"a": {"b": 1}}, list(range(70_000))]
    out = bytearray()
    for value in values:
        msgpack.pack_into(out, value)
    assert list(msgpack.unpack_all(bytes(out))) == values


def test_tables(ctx, tmp_path):
    rows = [("ada", "london", 36), ("bob", "paris", 20), ("eve", "london", 10)]
    table = ctx.makeRDD(rows, 2).asTable("name, city, age", "people")
    assert table.where("age > 15", lambda row: row.city == "london").select("name", "age * 2 as twice").collect() == [("ada", 72)]
    grouped = table.groupBy("city", "count(*) as n", "avg(age) as mean", "max(age)", names="name").sort("city")
    assert grouped.fields == ["city", "n", "mean", "max_age", "names"]
    assert grouped.collect() == [("london", 2, 23.0, 36, ["ada", "eve"]), ("paris", 1, 20.0, 20, ["bob"])]
    assert table.selectOne("sum(age)", "count(*)") == [(66, 3)]
    assert table.top(1, ["age"]) == [("ada", "london", 36)]
    cities = ctx.makeRDD([("london", "uk")]).asTable("city country")
    assert sorted(table.leftOuterJoin(cities).collect()) == [("london", "ada", 36, "uk"), ("london", "eve", 10, "uk"), ("paris", "bob", 20, None)]
    table.save(str(tmp_path / "t"))
    assert [row.city for row in ctx.table(str(tmp_path / "t"))] == ["london", "paris", "london"]


def test_the_rest_of_the_names(ctx):
    rdd = ctx.makeRDD(range(1000), 4)
    assert abs(rdd.map(str).adcount() - 1000) < 20
    assert abs(ctx.makeRDD(range(50_000), 2).adcount() - 50_000) < 1000
    assert rdd.aggregate([], lambda a, x: [*a, x][-1:], lambda a, b: a + b) == [249, 499, 749, 999]
    assert rdd.fold(0, lambda a, b: a + b) == 499_500
    assert rdd.map(lambda x: x % 3).countByValue() == {0: 334, 1: 333, 2: 333}
    assert ctx.makeRDD([("a", 1), ("a", 2)]).countByKey() == {"a": 2}
    assert rdd.union(rdd, rdd).count() == 3000
    assert ctx.zip([rdd, rdd.map(str)]).first() == (0, "0")
    assert rdd.mapPartitionsWithIndex(lambda i, it: [(i, sum(it))]).collectAsMap().keys() == {0, 1, 2, 3}
    assert sorted(rdd.groupBy(lambda x: x % 2).mapValue(len).collect()) == [(0, 500), (1, 500)]
    assert len(rdd.uniq().collect()) == 1000


def test_a_program_in_the_midst(ctx):
    added = ctx.accumulator(0)

    def counted(x):
        added.add(1)
        return x

    piped = ctx.makeRDD(range(4), 2).map(counted).pipe(["sed", "s/$/ %/"])
    assert piped.map(lambda line: line.decode()).collect() == ["0 %", "1 %", "2 %", "3 %"]
    assert added.value == 4
    # One that reads nothing, and one that cannot be had.
    assert ctx.makeRDD(["x" * 100_000] * 50, 1).pipe("true").collect() == []
    with pytest.raises(FileNotFoundError):
        ctx.makeRDD([1], 1).pipe("no-such-program").collect()


def test_pagerank_of_a_circle_is_even(ctx):
    from dae.dpark.bagel import Bagel, Edge, Vertex

    def compute(vertex, messages, aggregated, step):
        value = 0.15 / 3 + 0.85 * messages[0] if messages else vertex.value
        out = [(edge.target_id, value) for edge in vertex.outEdges] if step < 5 else []
        return Vertex(vertex.id, value, vertex.outEdges, step < 5), out

    vertices = ctx.makeRDD([(i, Vertex(i, 1 / 3, [Edge((i + 1) % 3)], True)) for i in range(3)], 2)
    found = Bagel.run(ctx, vertices, ctx.makeRDD([], 1), compute).mapValue(lambda vertex: vertex.value).collectAsMap()
    assert {key: round(value, 6) for key, value in found.items()} == {0: 0.333333, 1: 0.333333, 2: 0.333333}


@forked
def test_the_processes_work_at_once(ctx, tmp_path):
    def meet(x):
        (tmp_path / str(x)).touch()
        until = time.monotonic() + 60
        while len(os.listdir(tmp_path)) < 2:
            assert time.monotonic() < until, "the other one never began"
            time.sleep(0.01)
        return x

    ctx.options.parallel = 2
    try:
        assert ctx.makeRDD([0, 1], 2).map(meet).collect() == [0, 1]
    finally:
        ctx.options.parallel = 0
