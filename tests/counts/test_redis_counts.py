"""Counts on a Redis server: shared over hosts, bounded, and never more than `times` whatever happens to the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent

import pytest

from faultinject.counts import redis_link
from faultinject.counts.guarded import Guarded
from faultinject.counts.memory import KEPT
from faultinject.counts.redis_store import RedisStore
from faultinject.engine.counting import Take
from faultinject.exceptions import ConfigurationError, Conflict, MissingExtra, StoreInUse, StoreUnavailable
from faultinject.rules.redis_url import read_redis
from tests.ports import ReservedPort

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def free_ports():
    """Gives so many free ports, as text; nobody else has them before the test is over."""
    with ExitStack() as stack:
        yield lambda number: [str(stack.enter_context(ReservedPort())) for _ in range(number)]


@pytest.fixture
def free_port(free_ports):
    """A free port."""
    return int(free_ports(1)[0])


def opened(url, scenario="{}", seed="1", *, chosen=False, anew=False):
    store, data = RedisStore(read_redis(url)), {"scenario": scenario, "seed": seed}
    if anew:
        return store.put(data, after=store.look()[0], anew=True)[1], seed
    _, found, counts = store.agree(data, chosen=chosen)
    return counts, found["seed"]


def until(true):
    """Ask until it is so."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def place(counts, identity="/a"):
    return counts.match([(0, "", identity, None)], 0.0)[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fork", "spawn", "preload"])
def test_processes_count_exactly(redis_server, redis_prefix, how):
    """Four processes with four threads, 10,000 matches: each number once, exactly `times` takes."""
    url = f"{redis_server.url}?prefix={redis_prefix}"
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("hammer.py"), how, url], stdout=subprocess.PIPE, check=True
    )
    told = json.loads(ran.stdout)
    found = told["found"]
    assert told["matched"] == told["injected"] == len(found) == 10_000
    assert sorted(n for _, _, n, _, _ in found) == list(range(10_000))
    assert sum(taken for _, _, _, taken, _ in found) == 100
    assert sum(taken for _, _, _, _, taken in found) == 50


def test_the_same_rules_count_together_and_others_are_refused(redis_server, redis_prefix):
    """By their text and seed; a seed that nobody gave is the first one's."""
    url = f"{redis_server.url}?prefix={redis_prefix}"
    one, seed = opened(url, "{}", "\ud800", chosen=True)
    other, found = opened(url, "{}", "2", chosen=True)
    assert (seed, found) == ("\ud800", "\ud800")
    assert [place(each) for each in (one, other)] == [0, 1]
    shown = f"the store {redis_server.url} (prefix {redis_prefix})"
    cure = "name another with ?prefix=, or replace them with ?replace"
    with pytest.raises(StoreInUse) as raised:
        opened(url, '{"other": 1}', "\ud800")
    assert str(raised.value) == f"{shown} is in use by other rules: {cure}"
    redis_server.client().hset(f"{{{redis_prefix}}}:scenario", "seed", "1")
    with pytest.raises(StoreInUse) as raised:
        opened(url, "{}", "2")
    assert str(raised.value) == f"{shown} is in use by the same rules with the seed 1, not 2: {cure}"
    assert place(opened(f"{url}&replace", '{"other": 1}')[0]) == 0
    assert place(opened(f"{url}&replace", '{"other": 1}')[0]) == 1, "the same are not replaced"
    assert place(opened(url, '{"other": 1}', anew=True)[0]) == 0
    assert place(opened(url + "x")[0]) == 0


def test_another_version_is_refused(redis_server, redis_prefix):
    """Its keys may mean something else."""
    redis_server.client().hset(f"{{{redis_prefix}}}:scenario", "layout", "0")
    with pytest.raises(ConfigurationError, match="was made by another version of faultinject: name another"):
        opened(f"{redis_server.url}?prefix={redis_prefix}")


def test_what_is_in_force_changes_only_from_what_it_was(redis_server, redis_prefix):
    """By its generation; and counts go on only where there are some."""
    store = RedisStore(read_redis(f"{redis_server.url}?prefix={redis_prefix}"))
    data = {"scenario": "{}", "seed": "1"}
    with pytest.raises(StoreUnavailable, match=r"has lost its rules$"):
        store.put(data, after=0, anew=False)
    assert store.put(data, after=0, anew=True)[0] == 1
    for after in (0, 2):
        with pytest.raises(Conflict, match=r"was changed since$"):
            store.put(data, after=after, anew=False)
    generation, counts = store.put({"scenario": "[]", "seed": "2", "on": False}, after=1, anew=False)
    assert (generation, counts is store.join()[2]) == (2, True)
    assert store.read() == (2, {"scenario": "[]", "seed": "2", "on": False})


def test_nothing_is_left_behind(make_redis_counts, redis_server, redis_prefix):
    """Each key begins with the prefix, and has a time to live, also where nobody uses it any more."""
    counts = make_redis_counts()
    counts.match([(0, "mine", "/a", (1, 1.0))], 0.0)
    counts.take(Take(0, "mine", 1))
    counts.note_injected(0)
    client = redis_server.client()
    keys = sorted(client.scan_iter(f"*{redis_prefix}*"))
    assert {each.decode().split(":")[0] for each in keys} == {f"{{{redis_prefix}}}"}
    assert len(keys) == 6
    assert all(6 * 86_400 < client.ttl(each) <= 7 * 86_400 for each in keys)


def test_use_lengthens_the_time_to_live(make_redis_counts, redis_server, redis_prefix):
    """Of every key."""
    counts = make_redis_counts()
    place(counts)
    client = redis_server.client()
    keys = [each for each in client.scan_iter(f"*{redis_prefix}*") if b"scenario" not in each]
    for each in keys:
        client.expire(each, 100)
    for _ in range(64):
        place(counts)
    assert all(client.ttl(each) > 100 for each in keys)


@pytest.mark.slow
def test_the_pairs_matched_last_are_kept(make_redis_counts):
    """65,536 of scopes and of identities: what is older begins at zero, what was matched again stays."""
    counts = make_redis_counts()
    for name in ("old", "again"):
        counts.match([(0, name, name, None)], 0.0)
    for first in range(0, KEPT, 512):
        counts.match([(0, f"{number}", f"{number}", None) for number in range(first, first + 511)], 0.0)
        counts.match([(0, "again", "again", None)], 0.0)
    counts.match([(0, f"x{number}", f"x{number}", None) for number in range(512)], 0.0)
    [(place, n, _)] = counts.match([(0, "again", "again", None)], 0.0)
    assert (place, n) == (KEPT // 512 + 1, KEPT // 512 + 1)
    assert counts.match([(0, "old", "old", None)], 0.0) == [(0, 0, True)]


def test_where_nothing_depends_on_a_number_nobody_is_asked(make_redis_counts):
    """It is only noted; the number tells this process from others."""
    counts = make_redis_counts()
    keys = [(0, "", "/a", None), (1, "mine", "/a", None)]
    (one, *_) = found = counts.match_without_lock(keys, [0, 0])
    assert found == [one, one]
    assert one[1] < 0
    assert counts.match_without_lock(keys, [0, 0]) == found
    other = make_redis_counts(0)
    assert other.match_without_lock(keys, [0, 0]) != found
    other.totals([0])
    assert counts.match_without_lock(keys, [0, 2]) is None
    assert counts.totals([0, 1]) == [(3, 0, 0), (3, 0, 0)]


def test_no_rules_have_no_totals(make_redis_counts):
    """Nothing is asked."""
    assert make_redis_counts().totals([]) == []


def test_scripts_that_the_server_forgot(make_redis_counts, redis_server):
    """They are sent again, and nothing is counted twice."""
    counts = make_redis_counts()
    assert place(counts) == 0
    redis_server.client().script_flush()
    assert place(counts) == 1
    redis_server.client().script_flush()
    assert [counts.take(Take(0, "", 1)) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("kind", ["rules", "scopes", "identities"])
def test_counts_that_are_gone_do_not_begin_anew(make_redis_counts, redis_server, redis_prefix, kind):
    """Else more than `times` would be injected."""
    counts = make_redis_counts()
    assert counts.take(Take(0, "", 1))
    client = redis_server.client()
    (key,) = client.scan_iter(f"*{redis_prefix}*:{kind}:*")
    client.delete(key)
    for ask in (
        lambda: counts.take(Take(0, "", 1)),
        lambda: counts.give_back(Take(0, "", 1)),
        lambda: place(counts),
    ):
        with pytest.raises(StoreUnavailable, match="the counts are not there any more"):
            ask()
    counts.note_injected(0)
    assert not client.exists(key)


@pytest.fixture
def own_server(start_redis):
    """One that a test may stop and kill."""
    server = start_redis()
    yield server
    server.signal(signal.SIGCONT)


def test_a_stopped_server_holds_nobody_up(own_server, caplog, monkeypatch):
    """One request waits for a moment, those after it not at all; then it counts on. The log has a line for each."""
    patience = 1.0
    monkeypatch.setattr(redis_link, "PATIENCE", patience)
    moment = [0.0]
    guarded, _ = opened(own_server.url)
    counts = Guarded(guarded.counts, monotonic=lambda: moment[0])
    assert place(counts) == 0
    own_server.signal(signal.SIGSTOP)
    took = []
    for _ in range(20):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            place(counts)
        took.append(time.monotonic() - began)
    assert took[0] >= patience / 2
    assert sum(took[1:]) < patience
    own_server.signal(signal.SIGCONT)
    with pytest.raises(StoreUnavailable):
        place(counts)
    moment[0] = 1.0
    assert place(counts) in (1, 2), "what was not answered may have been counted"
    assert len(caplog.records) == 2
    assert counts.totals([0])[0][2] == 21


def test_a_killed_server_that_comes_back_empty(own_server):
    """Nothing is injected by those who counted there; who begins anew begins at zero."""
    counts, _ = opened(own_server.url)
    counts = counts.counts
    assert counts.take(Take(0, "", 1))
    own_server.kill()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            place(counts)
    counts.note_failed(0)
    counts.note_failed(0)
    assert counts.totals([0]) == [(0, 0, 2)], "what could not be told is kept"
    with pytest.raises(StoreUnavailable):
        opened(own_server.url)
    own_server.start()
    with pytest.raises(StoreUnavailable, match="not there any more"):
        counts.take(Take(0, "", 1))
    anew, _ = opened(own_server.url)
    with pytest.raises(StoreUnavailable, match="not there any more"):
        counts.take(Take(0, "", 1))
    assert anew.take(Take(0, "", 1))


def test_what_could_not_be_told_is_told_later(own_server, monkeypatch):
    """With the next try; what was noted meanwhile goes with it, also where that is a lot."""
    from faultinject.counts import redis_notes
    from faultinject.counts.redis_beside import Beside
    from faultinject.counts.redis_link import Link
    from faultinject.counts.redis_notes import Notes

    own_server.kill()
    notes = Notes(Link(read_redis(own_server.url)), ["h"])
    with monkeypatch.context() as patch:
        # Between two tries, which may be half a minute.
        patch.setattr(Beside, "do", lambda *_: None)
        for _ in range(redis_notes.MANY + 1):
            notes.add("f0")
    assert not notes._new
    own_server.start()
    client = own_server.client()
    client.hset("h", "f0", 5)
    notes.add("f0")
    until(lambda: client.hget("h", "f0") == b"10007")
    notes.add("i1")
    until(lambda: client.hget("h", "i1") == b"1")
    assert notes.totals() == {}


@pytest.mark.slow
def test_what_was_sent_and_not_answered_is_told(own_server, monkeypatch):
    """A stopped server may have it when it goes on: once more would be a match too many."""
    from faultinject.counts.redis_beside import Beside
    from faultinject.counts.redis_link import Link
    from faultinject.counts.redis_notes import Notes

    monkeypatch.setattr(Beside, "do", lambda *_: None)
    client = own_server.client()
    client.hset("h", "f0", 0)
    notes = Notes(Link(read_redis(own_server.url)), ["h"])
    notes.add("f0")
    assert (notes.totals(), client.hget("h", "f0")) == ({}, b"1")
    monkeypatch.setattr(redis_link, "PATIENCE", 0.5)
    own_server.signal(signal.SIGSTOP)
    notes.add("f0")
    assert notes.totals() == {}
    notes.add("f1")
    assert notes.totals() == {"f1": 1}, "it is not asked again so soon"
    own_server.signal(signal.SIGCONT)
    assert client.hget("h", "f0") in (b"1", b"2")


def test_a_server_that_dies_while_it_is_asked(own_server):
    """Nobody waits for the rest of the time."""
    counts, _ = opened(own_server.url)
    own_server.signal(signal.SIGSTOP)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(place, counts.counts)
        time.sleep(0.3)
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            asked.result()
    assert time.monotonic() - began < redis_link.PATIENCE / 2


def test_a_name_that_is_looked_up_slowly(start_redis, free_port, monkeypatch):
    """Nobody waits for it longer than a connection may take; the one that comes late is used by the next who asks."""
    server = start_redis("--port", str(free_port))
    counts, _ = opened(f"redis://localhost:{free_port}")
    counts = counts.counts
    link, looked_up, go_on = counts._link, [], threading.Event()
    lookup = socket.getaddrinfo

    def slow(*words, **more):
        looked_up.append(words[0])
        go_on.wait()
        return lookup(*words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(redis_link, "PATIENCE", 1.0)
    link._idle.pop()[0].disconnect()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"no connection in time$"):
        place(counts)
    for _ in range(20):
        with pytest.raises(StoreUnavailable, match=r"an earlier connection is still being made$"):
            place(counts)
    assert time.monotonic() - began < 10
    assert looked_up == ["localhost"]
    monkeypatch.setattr(redis_link, "PATIENCE", 10.0)
    go_on.set()
    until(lambda: link._idle)
    assert place(counts) == 0, "nothing was counted meanwhile"
    server.kill()
    with pytest.raises(StoreUnavailable):
        place(counts)


def test_a_process_that_begins_waits_longer(start_redis, free_port, monkeypatch):
    """Than a request does: on a busy machine, and where a name is looked up slowly, it injects from its first request on."""
    server = start_redis("--port", str(free_port))
    lookup = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *words, **more: time.sleep(0.5) or lookup(*words, **more)
    )
    monkeypatch.setattr(redis_link, "PATIENCE", 0.2)
    store = RedisStore(read_redis(f"redis://localhost:{free_port}"))
    data = {"scenario": "{}", "seed": "1"}
    assert store.agree(data, chosen=False)[0] == 1
    server.client().execute_command("CLIENT", "PAUSE", "500", "WRITE")
    assert store.put(data, after=1, anew=True)[0] == 2


@pytest.mark.parametrize("far", [False, True])
def test_a_process_that_begins_waits_longer_for_its_connection(start_redis, free_port, monkeypatch, far):
    """The server may be waiting for a processor just when it is to greet."""
    server = start_redis("--port", str(free_port))
    monkeypatch.setattr(redis_link, "PATIENCE", 0.1)
    store = RedisStore(read_redis(f"redis://localhost:{free_port}" if far else server.url))
    server.signal(signal.SIGSTOP)
    goes_on = threading.Timer(0.4, server.signal, [signal.SIGCONT])
    goes_on.start()
    assert store.agree({"scenario": "{}", "seed": "1"}, chosen=False)[0] == 1
    goes_on.join()


def test_a_slow_connection_takes_nothing_from_the_answers(start_redis, free_port, monkeypatch):
    """Neither from that of the match nor from that of the take behind it."""
    start_redis("--port", str(free_port))
    counts, _ = opened(f"redis://localhost:{free_port}")
    counts = counts.counts
    counts._link._idle.pop()[0].disconnect()
    moment = [0.0]
    monkeypatch.setattr(redis_link, "monotonic", lambda: moment[0])
    lookup = socket.getaddrinfo

    def slow(*words, **more):
        moment[0] += redis_link.PATIENCE
        return lookup(*words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert place(counts) == 0
    assert counts.take(Take(0, "", 1))
    assert moment == [redis_link.PATIENCE]


def test_a_take_for_which_no_time_is_left(own_server, monkeypatch):
    """It is not asked for, as on a machine that is busy for long: the next request has it."""
    counts, _ = opened(own_server.url)
    moment = [0.0]
    monkeypatch.setattr(redis_link, "monotonic", lambda: moment[0])
    assert place(counts.counts) == 0
    moment[0] += redis_link.PATIENCE
    with pytest.raises(StoreUnavailable, match=r"no time is left for another question$"):
        counts.counts.take(Take(0, "", 1))
    assert place(counts.counts) == 1
    assert counts.counts.take(Take(0, "", 1))


def test_a_late_connection_that_fails(free_port, monkeypatch):
    """It is forgotten, and the next who asks makes another."""
    pytest.importorskip("redis", reason="of the extra redis")
    from faultinject.counts.redis_link import Link

    go_on = threading.Event()
    link = Link(read_redis(f"redis://localhost:{free_port}"))
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **more: go_on.wait() and lookup(*words, **more))
    monkeypatch.setattr(redis_link, "PATIENCE", 0.2)
    with pytest.raises(StoreUnavailable, match=r"no connection in time$"):
        link.ask("PING")
    go_on.set()
    until(lambda: not link._dial._late)
    monkeypatch.setattr(redis_link, "PATIENCE", 10.0)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="refused"):
            link.ask("PING")


@pytest.mark.parametrize("why", ["another process", "no room for a thread"])
def test_connections_where_there_is_no_thread(start_redis, free_port, monkeypatch, why):
    """A forked child has none of its parent's, and where none can be started the caller makes its connection itself."""
    start_redis("--port", str(free_port))
    counts, _ = opened(f"redis://localhost:{free_port}")
    if why == "another process":
        counts.counts._link._dial._late = 1
        monkeypatch.setattr(os, "getpid", lambda: 1)
    else:
        counts.counts._link._idle.pop()[0].disconnect()

        def none(_):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", none)
    assert place(counts.counts) == 0


def test_takes_that_are_given_back_beside(make_redis_counts, own_server, monkeypatch):
    """They are there for the next ask of the process; where the server is away they stay taken."""
    for counts, server in ((make_redis_counts(), None), (opened(own_server.url)[0].counts, own_server)):
        monkeypatch.setattr(counts._link.beside, "do", lambda _: None)
        assert [counts.take(Take(0, "", 1)) for _ in range(2)] == [True, False]
        if server is not None:
            server.client().save()
            server.kill()
        counts.give_back(Take(0, "", 1, beside=True))
        if server is None:
            assert [counts.take(Take(0, "", 1)) for _ in range(2)] == [True, False]
            counts.give_back(Take(0, "", 1, beside=True))
            assert counts.totals([0]) == [(0, 0, 0)]
            assert counts.take(Take(0, "", 1))
            monkeypatch.setattr(os, "getpid", lambda: 1)
            counts.give_back(Take(0, "", 1, beside=True))
            assert counts.take(Take(0, "", 1))
            monkeypatch.undo()
        else:
            with pytest.raises(StoreUnavailable):
                counts.take(Take(0, "", 1))
            server.start()
            assert not counts.take(Take(0, "", 1))


@pytest.mark.parametrize("how", ["returns", "raises", "multiprocessing"])
def test_a_process_that_ends_waits_for_what_is_being_told(how):
    """The thread that tells it would end with the process, and what it has taken up be lost."""
    program = f"""
        import multiprocessing
        import sys
        import threading
        from faultinject.counts.redis_beside import Beside, Errand

        def main():
            ends = threading.Event()
            beside = Beside()

            def tell():
                begun.set()
                ends.wait(0.3)  # never set: as long as a slow server may take
                print("told", flush=True)

            begun = threading.Event()
            Errand(beside, tell).soon()
            begun.wait(20)

        if {how!r} == "multiprocessing":
            process = multiprocessing.get_context("fork").Process(target=main)
            process.start()
            process.join()
        else:
            main()
            if {how!r} == "raises":
                sys.exit(3)
    """
    ran = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("told\n", "")


def test_a_child_does_not_tell_what_its_parent_could_not(own_server, monkeypatch):
    """It would be told twice."""
    counts, _ = opened(own_server.url)
    counts = counts.counts
    own_server.kill()
    counts.note_failed(0)
    child = os.fork()
    if not child:
        counts.note_failed(1)
        os._exit(0 if counts.totals([0, 1]) == [(0, 0, 0), (0, 0, 1)] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counts.totals([0]) == [(0, 0, 1)]
    monkeypatch.setattr(os, "getpid", lambda: child)
    counts.note_failed(1)
    assert counts.totals([0, 1]) == [(0, 0, 0), (0, 0, 1)]


@pytest.mark.slow
def test_a_user_with_a_password(start_redis):
    """Wrong ones are told without the password."""
    server = start_redis("--requirepass", "se cret/1")
    url = server.url.replace("unix://", "unix://default:se%20cret%2F1@")
    assert place(opened(url)[0]) == 0
    with pytest.raises(StoreUnavailable, match=r"/s: Authentication required\.$"):
        opened(server.url)
    with pytest.raises(StoreUnavailable, match="invalid username-password pair") as raised:
        opened(server.url.replace("unix://", "unix://:s3cret@"))
    assert "cret" not in str(raised.value)


def test_an_encrypted_connection(start_redis, tmp_path, free_port):
    """The server's certificate is checked; by another authority it is refused."""
    trustme = pytest.importorskip("trustme", reason="of the extra tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = {"cert-file": "cert.pem", "key-file": "key.pem", "ca-cert-file": "ca.pem"}
    options = [word for name, file in files.items() for word in (f"--tls-{name}", str(tmp_path / file))]
    start_redis("--tls-port", str(free_port), "--tls-auth-clients", "no", *options)
    assert place(opened(f"rediss://127.0.0.1:{free_port}/1?ca={tmp_path}/ca.pem")[0]) == 0
    assert place(opened(f"valkeys://localhost:{free_port}/1?ca={tmp_path}/ca.pem")[0]) == 1
    with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        opened(f"rediss://127.0.0.1:{free_port}?ca={tmp_path}/other.pem")
    with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        opened(f"rediss://127.0.0.1:{free_port}")
    with pytest.raises(StoreUnavailable):
        opened(f"redis://127.0.0.1:{free_port}")
    with pytest.raises(ConfigurationError, match=f"/0: ca: there is no file '{tmp_path}/none.pem'$"):
        opened(f"rediss://127.0.0.1:{free_port}?ca={tmp_path}/none.pem")


def test_a_server_that_takes_no_writes(start_redis):
    """A replica, and one that is full; the message has nothing of the script."""
    server = start_redis("--maxmemory", "1")
    with pytest.raises(StoreUnavailable, match=r"command not allowed when used memory > 'maxmemory'\.$"):
        opened(server.url)
    server.client().config_set("maxmemory", 0)
    counts, _ = opened(server.url)
    server.client().replicaof("127.0.0.1", "1")
    with pytest.raises(StoreUnavailable, match=r"You can't write against a read only replica\.$"):
        place(counts)


def test_a_node_of_a_cluster(start_redis, redis_server, free_ports):
    """The one that has the keys counts; another one says which that is."""
    if redis_server.client().info("server")["redis_version"] < "7":
        pytest.skip("it has no --cluster-port")
    options = "--cluster-enabled", "yes", "--cluster-config-file", "nodes"
    ports = free_ports(4)
    one, other = (
        start_redis(*options, "--bind", "127.0.0.1", "--port", ports[at], "--cluster-port", ports[at + 1])
        for at in (0, 2)
    )
    with pytest.raises(StoreUnavailable, match=r"/s: Hash slot not served$"):
        opened(one.url)
    slot = one.client().execute_command("CLUSTER KEYSLOT", "{faultinject}")
    one.client().execute_command("CLUSTER ADDSLOTSRANGE", 0, slot)
    other.client().execute_command("CLUSTER ADDSLOTSRANGE", slot + 1, 16_383)
    one.client().execute_command("CLUSTER MEET", "127.0.0.1", ports[2], ports[3])
    until(lambda: all(each.client().cluster("INFO")["cluster_state"] == "ok" for each in (one, other)))
    assert place(opened(one.url)[0]) == 0
    said = rf"/s: it is a node of a cluster, in which 127\.0\.0\.1:{ports[0]} has the keys of this prefix: name that one$"
    with pytest.raises(StoreUnavailable, match=said):
        opened(other.url)


def test_without_the_package(monkeypatch):
    """The message names the command."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"the store redis://h:6379/0 needs redis: .*install"):
        RedisStore(read_redis("redis://h"))
