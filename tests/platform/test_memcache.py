"""`dae.api.memcache` beside any memcached. `DAE_MEMCACHE` is its address; both for dae's own and for Debian's."""

import decimal
import os
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest

from dae.api import memcache
from dae.api.mc import mc as same
from dae.api.memcache import Client, Empty, cache, cache_in_obj, delete_cache, listcache, mc, pcache, pcache2


@pytest.fixture
def key():
    return "test:" + uuid.uuid4().hex


def raw(request):
    """What the server itself says."""
    host, _, port = os.environ["DAE_MEMCACHE"].rpartition(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(request + b"quit\r\n")
        with wire.makefile("rb") as answers:
            return answers.read()


VALUES = [b"bytes", b"", "text \u00e9 \u8c46", 0, 7, -7, 2**70, True, False, 1.5, [1, "a", None], {"a": (1, 2)}, {1, 2},
          decimal.Decimal("1.5"), b"x" * 5000, b"\r\nEND\r\n", "y" * 3_000_000, os.urandom(2_500_000)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_comes_back_as_it_was(key, value):
    assert mc.set(key, value) is True
    found = mc.get(key)
    assert found == value and type(found) is type(value)
    assert mc.delete(key) and mc.get(key) is None


@pytest.mark.parametrize("value, flags, data", [
    (b"x", 0, b"x"), (7, 4, b"7"), (True, 8, b"1"), ("\u00e9", 32, b"u\x02\x00\x00\x00\xc3\xa9"),
    (decimal.Decimal(1), 1, None), (None, 32, b"N"),
])
def test_values_are_written_as_libmc_writes_them(key, value, flags, data):
    mc.set(key, value)
    found, found_flags = mc.get_raw(key)
    assert found_flags == flags and data in (None, found)


def test_what_libmc_wrote_is_read_and_what_is_written_it_reads(key):
    libmc = pytest.importorskip("libmc")
    other = libmc.Client(memcache.servers())
    for index, value in enumerate(VALUES):
        assert other.set("%s:%d" % (key, index), value)
        assert mc.get("%s:%d" % (key, index)) == value
        assert mc.set("%s-%d" % (key, index), value)
        assert other.get("%s-%d" % (key, index)) == value


def test_a_large_value_is_compressed_unless_it_must_not_be(key):
    mc.set(key, b"x" * 5000)
    assert mc.get_raw(key)[1] == 16 and len(mc.get_raw(key)[0]) < 100
    mc.set(key, b"x" * 5000, compress=False)
    assert mc.get_raw(key) == (b"x" * 5000, 0)


def test_none_is_a_miss(key):
    mc.set(key, None)
    assert mc.get(key) is None and mc.get(key, 3) == 3 and mc.get_multi([key]) == {}


def test_many_at_once(key):
    values = {"%s:%d" % (key, n): n for n in range(1200)}
    assert mc.set_multi(values) is True
    assert mc.get_multi(list(values) + [key + "none"]) == values
    assert mc.get_list([key + ":1", key + "none", key + ":2"]) == [1, None, 2]
    assert mc.delete_multi(list(values)) is True and mc.get_multi(list(values)) == {}


def test_add_replace_and_versions(key):
    assert mc.replace(key, 1) is False
    assert mc.add(key, 1) is True and mc.add(key, 2) is False and mc.replace(key, 3) is True
    value, version = mc.gets(key)
    assert value == 3 and mc.cas(key, 4, cas=version) is True and mc.cas(key, 5, cas=version) is False
    assert mc.get(key) == 4 and mc.gets(key + "none") is None


def test_counting(key):
    assert mc.incr(key) is None
    mc.set(key, 10)
    assert mc.incr(key) == 11 and mc.incr(key, 9) == 20 and mc.decr(key) == 19 and mc.decr(key, 99) == 0
    assert mc.get(key) == 0


def test_appending(key):
    assert mc.append(key, b"x") is False
    mc.set(key, b"b")
    assert mc.append(key, b"c") and mc.prepend(key, "a") and mc.append_multi([key], b"d") and mc.get(key) == b"abcd"


def test_times_to_live(key):
    mc.set(key, 1, 1)
    mc.set(key + "month", 1, 60 * 60 * 24 * 30)
    mc.set(key + "past", 1, 60 * 60 * 24 * 31)
    mc.set(key + "touched", 1, 1)
    assert mc.touch(key + "touched", 100) is True and mc.touch(key + "none", 1) is False
    assert mc.get(key) == 1 and mc.get(key + "month") == 1 and mc.get(key + "past") is None
    deadline = time.monotonic() + 20
    while mc.get(key) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert mc.get(key + "touched") == 1


def test_keys_that_are_none():
    for key in ["", "a b", "a\nb", "k" * 251, "\u8c46" * 84]:
        assert mc.set(key, 1) is False and mc.get(key) is None and mc.delete(key) is False and mc.incr(key) is None
    assert mc.set("\u8c46" * 83, 1) is True and mc.get("\u8c46" * 83) == 1


def test_a_value_over_the_limit_is_refused_and_the_connection_lives(key):
    whole = Client(memcache.servers, do_split=False, comp_threshold=0)
    whole.set(key, b"old")
    assert whole.set(key, os.urandom(2_000_000)) is False
    assert whole.get(key) is None
    assert whole.set(key, b"x" * 1_000_000) is True and len(whole.get(key)) == 1_000_000


def test_the_servers_answer():
    assert set(mc.version()) == set(memcache.servers())
    assert all(int(stats["cmd_get"]) >= 0 for stats in mc.stats().values())
    assert same is mc


def test_keys_are_listed(key):
    mc.set(key + "/", 1)
    host, _, port = os.environ["DAE_MEMCACHE"].rpartition(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(b"lru_crawler metadump all\r\n")
        with wire.makefile("rb") as lines:
            found = list(iter(lines.readline, b"END\r\n"))
    assert any(line.startswith(b"key=" + key.replace(":", "%3A").encode() + b"%2F exp=-1 ") for line in found)


def test_a_server_that_is_away_is_an_empty_cache(caplog):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    client = Client(["127.0.0.1:%d" % port])
    assert client.get("a") is None and client.set("a", 1) is False and client.incr("a") is None
    assert client.get_multi(["a"]) == {} and client.get_last_error()
    assert "127.0.0.1:%d does not answer" % port in caplog.text


def test_a_server_that_came_back_is_used_again():
    """Kept connections end with their server; the next request finds that out and goes on by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = Client(["127.0.0.1:%d" % listening.getsockname()[1]])

        def serve():
            for _ in range(2):
                wire, _ = listening.accept()
                wire.recv(100)
                wire.sendall(b"VALUE a 4 1\r\n1\r\nEND\r\n")
                wire.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert client.get("a") == 1 and client.get("a") == 1
        thread.join()


def test_threads_share_a_client(key):
    mc.set(key, 0)
    wrong = []

    def count(name):
        for n in range(100):
            mc.incr(key)
            mc.set(name, n)
            if mc.get(name) != n:
                wrong.append(name)

    threads = [threading.Thread(target=count, args=("%s:%d" % (key, n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mc.get(key) == 800 and not wrong


def test_a_forked_process_has_connections_of_its_own(key):
    mc.set(key, 0)
    children = []
    for n in range(4):
        pid = os.fork()
        if pid == 0:
            good = all(mc.set("%s:%d" % (key, n), m) and mc.get("%s:%d" % (key, n)) == m and mc.incr(key) for m in range(100))
            os._exit(0 if good else 1)
        children.append(pid)
    for m in range(100):
        assert mc.set(key + "own", m) and mc.get(key + "own") == m
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert mc.get(key) == 400


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from dae.api.memcache import mc
key = sys.argv[1]
mc.set(key, 0)
def count(n):
    for m in range(50):
        mc.incr(key); mc.set(key + str(n), m)
        assert mc.get(key + str(n)) == m
def broken(n):
    try:
        with gevent.Timeout(0.0005 * n, False):
            while True: mc.get(key + "broken")
    except gevent.Timeout: pass
mc.set(key + "broken", "x" * 100000, compress=False)
gevent.joinall([gevent.spawn(count, n) for n in range(20)] + [gevent.spawn(broken, n) for n in range(20)], raise_error=True)
assert mc.get(key) == 1000, mc.get(key)
"""


def test_greenlets_share_a_client(key):
    pytest.importorskip("gevent")
    subprocess.run([sys.executable, "-c", GREENLETS, key], check=True, timeout=120)


def test_cache(key):
    calls = []

    @cache(key + ":{a}:{b}", expire=100)
    def add(a, b=2):
        calls.append((a, b))
        return a + b

    assert add(1) == 3 and add(1) == 3 and add(a=1, b=2) == 3 and calls == [(1, 2)]
    assert mc.get(key + ":1:2") == 3
    assert add(1, force=True) == 3 and len(calls) == 2
    assert add.original_function(5) == 7 and add.__name__ == "add"


def test_key_patterns(key):
    class Thing:
        id = "i d"

    for pattern, expected in [
        (key + "1:%s", key + "1:x"), (key + "2:%s:%s", key + "2:x:y"), (key + "3:%(b)s", key + "3:y"),
        (key + "4:{a}", key + "4:x"), (lambda b: key + "5:" + b, key + "5:y"), (key + "6 %s", key + "6_x"),
    ]:
        function = cache(pattern)(lambda a, b="y": a + b)
        assert function("x") == "xy" and mc.get(expected) == "xy", pattern
    assert cache(key + "7:{thing.id}")(lambda thing: 1)(Thing()) == 1 and mc.get(key + "7:i_d") == 1
    calls = []
    none = cache(lambda a: None)(lambda a: calls.append(a) or 1)
    assert none(1) == 1 and none(1) == 1 and calls == [1, 1]
    with pytest.raises(TypeError):
        cache("a")(lambda *args: 1)
    with pytest.raises(TypeError):
        cache("a%s")(lambda a: 1)()


def test_none_is_kept_only_as_empty(key):
    calls = []
    nothing = cache(key + ":%s")(lambda a: calls.append(a))
    empty = cache(key + "e:%s")(lambda a: calls.append(a) or EMPTY)
    assert nothing(1) is None and nothing(1) is None and calls == [1, 1]
    assert empty(2) is None and empty(2) is None and calls == [1, 1, 2]


class Kept(Empty):
    pass


EMPTY = Kept()


def test_one_computes_while_the_others_wait(key):
    calls, answers = [], []

    @cache(key + ":%s", max_retry=50)
    def slow(a):
        calls.append(a)
        time.sleep(0.3)
        return "value"

    threads = [threading.Thread(target=lambda: answers.append(slow(1))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["value"] * 6 and calls == [1]
    assert mc.get(key + ":1#mutex") is None


def test_what_another_has_computed_meanwhile_is_not_computed_again(key):
    class Overtaken:
        """The one that computes ends between the look for the value and the wish for the mutex."""

        def __getattr__(self, name):
            return getattr(mc, name)

        def add(self, *args):
            mc.set(key + ":1", "theirs")
            return mc.add(*args)

    @cache(key + ":%s", mc=Overtaken(), max_retry=5)
    def slow(a):
        return "mine"

    assert slow(1) == "theirs"
    assert mc.get(key + ":1#mutex") is None


def test_a_mutex_is_given_back_by_a_function_that_fails(key):
    @cache(key + ":%s", max_retry=5)
    def fails(a):
        raise KeyError(a)

    with pytest.raises(KeyError):
        fails(1)
    assert mc.get(key + ":1#mutex") is None


def test_pcache(key):
    calls = []

    @pcache(key + ":%s", count=10)
    def rows(name, start=0, limit=5):
        calls.append((start, limit))
        return list(range(start, start + limit))

    assert rows("a") == [0, 1, 2, 3, 4] and rows("a", 2, 3) == [2, 3, 4] and rows("a", limit=10) == list(range(10))
    assert calls == [(0, 10)]
    assert rows("a", 8, 5) == [8, 9, 10, 11, 12] and calls[1:] == [(8, 5)]


def test_pcache2(key):
    calls = []

    @pcache2(key + ":%s", count=10)
    def rows(name, start=0, limit=5):
        calls.append((start, limit))
        return 100, list(range(start, start + limit))

    assert rows("a", 1, 2) == (100, [1, 2]) and rows("a", 3, 1) == (100, [3]) and calls == [(0, 10)]


def test_listcache(key):
    calls = []

    @listcache(key + ":{name}")
    def ids(name):
        calls.append(name)
        return [1, 2, 3]

    assert ids("a") == [1, 2, 3] and list(ids("a")) == [1, 2, 3] and calls == ["a"]
    mc.append(key + ":a", b"\x04\x00\x00\x00")
    assert list(ids("a")) == [1, 2, 3, 4]


def test_delete_cache(key):
    @cache(key + ":%s")
    def get(a):
        return a

    @delete_cache(key + ":{a}")
    def change(a):
        return "changed"

    get(1)
    assert change(1) == "changed" and mc.get(key + ":1") is None and change.original_function(1) == "changed"


class Thing:
    def __init__(self, id):
        self.id, self.asked = id, 0

    def count(self):
        self.asked += 1
        return self.asked


def test_cache_in_obj(key):
    Thing.counted = cache_in_obj(key + ":%s")(Thing.count)
    thing = Thing(7)
    assert thing.counted() == 1 and thing.counted() == 1 and thing.counted(force=True) == 2
    assert mc.get(key + ":7")._cached_count == 2


def test_keys_are_spread_over_several_servers():
    client = Client(["127.0.0.1:%d" % port for port in (1, 2, 3)])
    found = [client.get_host_by_key("key:%d" % n) for n in range(3000)]
    assert all(found.count(server) > 500 for server in client.servers)
    fewer = Client(client.servers[:2])
    moved = sum(1 for n, host in enumerate(found) if host in fewer.servers and fewer.get_host_by_key("key:%d" % n) != host)
    assert moved == 0


def test_without_a_server_it_is_said_what_to_do(monkeypatch):
    monkeypatch.delenv("DAE_MEMCACHE")
    with pytest.raises(RuntimeError, match="dae run"):
        Client(memcache.servers).get("a")
