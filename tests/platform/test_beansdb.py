"""The beansdb dialect as Python clients see it: `dae.api.beansdb`, and libmc, against whatever DAE_BEANSDB names.

Every key is new in each run, so that the store need not be empty.
"""

import os
import socket
import subprocess
import sys
import threading
import uuid

import libmc
import pytest

from dae.api.bdb import bdb as same
from dae.api.beansdb import BeansdbError, Client, Version, bdb

ADDRESS = os.environ["DAE_BEANSDB"]


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x


VALUES = [b"bytes", b"", "text", "你好", 0, 7, -7, 2**70, True, False, None, 1.5, [1, "b"], {"a": (1, 2)}, {1, 2}, Point(3), "x" * 5000]


@pytest.fixture
def key():
    return "test:" + uuid.uuid4().hex


@pytest.fixture
def mc():
    return libmc.Client([ADDRESS], do_split=0, comp_threshold=1000)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(key, value):
    assert bdb.set(key, value)
    found = bdb.get(key, "nothing")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_libmc_reads_what_we_write_and_we_what_it_writes(key, mc, value):
    assert bdb.set(key, value) and mc.get(key) == value
    assert mc.set(key + "2", value) and bdb.get(key + "2") == value
    compressing = Client(compress=1000)
    assert compressing.set(key + "3", value) and mc.get(key + "3") == value


def test_versions(key):
    assert (bdb.get_version(key), bdb.exists(key)) == (0, False)
    for value in ["one", "two"]:
        assert bdb.set(key, value)
    assert (bdb.get_version(key), bdb.exists(key)) == (2, True)
    # The same again is no new version.
    assert bdb.set(key, "two") and bdb.get_version(key) == 2
    assert not bdb.set(key, "three", version=2) and bdb.get(key) == "two"
    assert bdb.set(key, "three", version=9) and bdb.get_version(key) == 9
    assert bdb.delete(key) and not bdb.delete(key)
    assert (bdb.get_version(key), bdb.exists(key), bdb.get(key)) == (-10, False, None)
    assert bdb.set(key, "four") and bdb.get_version(key) == 11
    version = bdb.get_versions([key, key + "x"])
    assert list(version) == [key] and isinstance(version[key], Version) and version[key].flag == 32


def test_many_at_once(key):
    values = {"%s:%d" % (key, number): number for number in range(1200)}
    assert bdb.set_multi(dict(list(values.items())[:50]))
    first = dict(list(values.items())[:50])
    assert bdb.get_multi(values) == first
    assert bdb.get_list(list(values)[49:51]) == [49, None]
    assert bdb.delete_multi(first) and bdb.get_multi(values) == {}


def test_numbers_and_logs(key, mc):
    assert [bdb.incr(key), bdb.incr(key, 5), bdb.decr(key, 2), bdb.incr(key, -100)] == [1, 6, 4, 0]
    assert bdb.get(key) == mc.get(key) == 0
    assert mc.incr(key, 3) == 3 and bdb.get_raw(key) == (b"3", 0x204)
    assert not bdb.append(key, b"x")
    log = key + "log"
    assert bdb.append(log, b"ab") and bdb.append(log, "cd") and bdb.get_raw(log) == (b"abcd", 256)
    assert bdb.get(log) == b"abcd"
    assert bdb.set(log, 5) and bdb.incr(log) == 0 and bdb.get(log) == 5


def test_libmc(key, mc):
    assert mc.get(key) is None
    assert mc.set(key, "one") and mc.get_multi([key, key + "x"]) == {key: "one"}
    assert mc.get("?" + key).split()[0] == b"1"
    assert mc.delete(key) and mc.get(key) is None
    assert mc.get("?" + key).split()[0] == b"-2"
    large = os.urandom(3_000_000)
    assert mc.set(key, large) and mc.get(key) == large
    assert mc.set_multi({key + "a": 1, key + "b": "b"}) and mc.get_list([key + "b", key + "a"]) == ["b", 1]
    # memcached's commands that the dialect does not have.
    assert not mc.touch(key, 10)
    assert mc.version()[ADDRESS].startswith("0.7.1.4")


def test_the_hash_tree_leads_to_every_key(key):
    assert bdb.set(key, "here")

    def keys(path):
        for name, first, second in bdb.list(path):
            if len(name) == 2 and name.endswith("/"):
                yield from keys(path + name[0])
            else:
                yield name, second

    assert dict(keys(""))[key] == 1
    with pytest.raises(ValueError):
        bdb.list("x")


@pytest.mark.parametrize("key", ["", "a b", "a\r\ndelete b", "k" * 251, b"\x7f"])
def test_bad_keys_do_not_reach_the_store(key):
    for act in [lambda: bdb.get(key), lambda: bdb.set(key, 1), lambda: bdb.delete(key), lambda: bdb.incr(key)]:
        with pytest.raises(ValueError):
            act()


def test_a_store_that_is_not_there_is_said(key, monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % nobody.getsockname()[1]
        with pytest.raises(BeansdbError, match=address):
            Client(address).get(key)
        # Any of several will do.
        assert Client(address + "," + ADDRESS).get(key) is None
    monkeypatch.delenv("DAE_BEANSDB")
    with pytest.raises(BeansdbError, match="DAE_BEANSDB"):
        Client().get(key)


def test_threads_and_forks_share_one_client(key):
    def count():
        for _ in range(50):
            bdb.incr(key)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if child == 0:
        try:
            count()
            os._exit(0)
        finally:
            os._exit(1)
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert bdb.get(key) == 450


def test_a_connection_that_was_closed_is_not_used_again(key):
    client = Client()
    client.set(key, 1)
    client._idle[0].sock.shutdown(socket.SHUT_RDWR)
    assert client.incr(key + "n") == 1


def test_it_is_the_same_by_its_short_name(key):
    from dae.api import bdb as module

    assert same is bdb and module.set(key, 1) and module.get(key) == 1


def test_greenlets(key):
    code = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from dae.api.beansdb import bdb
def count():
    for _ in range(20):
        bdb.incr(sys.argv[1])
gevent.joinall([gevent.spawn(count) for _ in range(20)], raise_error=True)
print(bdb.get(sys.argv[1]), len(bdb._idle) > 1)
"""
    said = subprocess.run([sys.executable, "-c", code, key], stdout=subprocess.PIPE, timeout=60, check=True).stdout
    assert said == b"400 True\n"
