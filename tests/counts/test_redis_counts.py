"""Counts on a Redis server: shared over hosts, bounded, and never more than `times` whatever happens to the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faultinject.counts import redis_link
from faultinject.counts.guarded import Guarded
from faultinject.counts.memory import KEPT
from faultinject.counts.redis_store import RedisStore
from faultinject.engine.counting import Take
from faultinject.exceptions import ConfigurationError, MissingExtra, StoreInUse, StoreUnavailable
from faultinject.rules.redis_url import read_redis


@pytest.fixture
def free_port():
    """A free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def opened(url, scenario="{}", seed="1", *, chosen=False, anew=False):
    store, data = RedisStore(read_redis(url)), {"scenario": scenario, "seed": seed}
    if anew:
        return store.put(data, after=store.look()[0], anew=True)[1], seed
    _, found, counts = store.agree(data, chosen=chosen)
    return counts, found["seed"]


def place(counts, identity="/a"):
    return counts.match([(0, "", identity, None)], 0.0)[0][0]


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
    assert make_redis_counts(0).match_without_lock(keys, [0, 0]) != found
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


def test_what_could_not_be_told_is_told_later(own_server, start_redis):
    """With the first note after the pause."""
    from faultinject.counts.redis_link import Link
    from faultinject.counts.redis_notes import Notes

    moment = [0.0]
    own_server.kill()
    link = Link(read_redis(own_server.url), monotonic=lambda: moment[0])
    notes = Notes(link, "h", monotonic=lambda: moment[0])
    notes.add("f0")
    own_server.start()
    client = own_server.client()
    client.hset("h", "f0", 5)
    notes.add("f0", 2)
    assert client.hget("h", "f0") == b"5"
    assert notes.kept == {"f0": 3}
    moment[0] = 1.0
    notes.add("i1")
    assert client.hgetall("h") == {b"f0": b"8", b"i1": b"1"}
    assert notes.kept == {}


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


def test_a_user_with_a_password(start_redis):
    """Wrong ones are told without the password."""
    server = start_redis("--requirepass", "se cret/1")
    url = server.url.replace("unix://", "unix://default:se%20cret%2F1@")
    assert place(opened(url)[0]) == 0
    with pytest.raises(StoreUnavailable):
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


def test_without_the_package(monkeypatch):
    """The message names the command."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"the store redis://h:6379/0 needs redis: .*install"):
        RedisStore(read_redis("redis://h"))
