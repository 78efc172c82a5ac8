"""Counts on a Redis server: shared over hosts, bounded, never more than `times`.

Whatever happens to the server.
"""

import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import redis

from faultinject.counts.patience import waiting
from faultinject.counts.store import Take
from faultinject.exceptions import MissingExtraError, StoreInUseError, StoreUnavailableError
from tests.injector.children import in_child
from tests.ports import ReservedPort
from tests.refusals import refusal
from tests.until import until

from .opened import open_counts

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
ONCE = Take(0, "", 1)


@pytest.fixture
def free_ports():
    """Gives so many free ports, as text; nobody else has them before the test is over."""
    with ExitStack() as stack:
        yield lambda number: [str(stack.enter_context(ReservedPort())) for _ in range(number)]


@pytest.fixture
def url(new_url):
    return new_url("redis")


@pytest.fixture
def key(url):
    """The prefix of the store's keys."""
    return f"{{{url.partition('prefix=')[2]}}}"


@pytest.fixture
def own_server(start_redis):
    """One that a test may stop and kill."""
    server = start_redis()
    yield server
    server.signal(signal.SIGCONT)


def place(counts, identity="/a"):
    return counts.match([(0, "", identity, None)], 0.0)[0][0]


def test_the_same_rules_count_together_and_others_are_refused(url, redis_server):
    """By their text and seed; what differs is told."""
    one, other = open_counts(url, "{}", "1"), open_counts(url, "{}", "1")
    assert [place(each) for each in (one, other)] == [0, 1]
    shown = f"the store {redis_server.url} (prefix {url.partition('prefix=')[2]})"
    cure = "name another with ?prefix=, or replace them with ?replace"
    told = f"{shown} is in use with other rules or another seed: {cure}"
    for different in (('{"other": 1}', "1"), ("{}", "2")):
        assert str(refusal(open_counts, url, *different, sort=StoreInUseError)) == told
    for expected in (0, 1):  # the same are not replaced
        assert place(open_counts(f"{url}&replace", '{"other": 1}')) == expected
    assert place(open_counts(url + "x", "{}", "\ud800")) == 0


def test_another_version_is_refused(url, key, redis_server):
    """Its keys may mean something else; and what is not whole, or no JSON, says so."""
    client = redis_server.client()
    client.hset(f"{key}:scenario", "layout", "0")
    assert "was made by another version of faultinject: name another" in str(refusal(open_counts, url))
    client.delete(f"{key}:scenario")
    open_counts(url)
    client.hset(f"{key}:scenario", "standing", "{")
    unread = refusal(open_counts, url, sort=StoreUnavailableError)
    client.hdel(f"{key}:scenario", "standing")
    assert "has rules that cannot be read: " in str(unread)
    assert str(refusal(open_counts, url, sort=StoreUnavailableError)).endswith("has incomplete rules")


def test_nothing_is_left_behind(url, key, redis_server):
    """Each key begins with the prefix, and has a time to live, which use lengthens."""
    counts = open_counts(url)
    counts.match([(0, "mine", "/a", (1, 1.0))], 0.0)
    counts.take(Take(0, "mine", 1))
    client = redis_server.client()
    found = {
        each.decode(): 6 * 86_400 < client.ttl(each) <= 7 * 86_400
        for each in client.scan_iter(f"*{key[1:-1]}*")
    }
    assert [(each.split(":")[0], lasts) for each, lasts in found.items()] == [(key, True)] * 6
    keys = [each for each in found if "scenario" not in each]
    for each in keys:
        client.expire(each, 100)
    for _ in range(64):
        counts.match([(0, "mine", "/a", None)], 0.0)
    assert all(client.ttl(each) > 100 for each in keys)


def test_scripts_that_the_server_forgot(url, redis_server):
    """They are sent again, and nothing is counted twice."""
    counts = open_counts(url)
    for ask, expected in ((place, 0), (place, 1), (lambda each: each.take(ONCE), True)):
        redis_server.client().script_flush()
        assert ask(counts) == expected
    assert not counts.take(ONCE)


@pytest.mark.parametrize("kind", ["rules", "scopes", "identities"])
def test_keys_that_the_server_removed_to_make_room(url, key, redis_server, kind, caplog):
    """Counts that the server evicted begin at zero; the log reports it for rules."""
    counts = open_counts(url)
    for number in range(3):
        assert counts.match([(0, "mine", "/a", None)], 0.0) == [(number, number, True)]
    [lost] = redis_server.client().scan_iter(f"{key}:{kind}:*")
    redis_server.client().delete(lost)
    expected = {"rules": (3, 3), "scopes": (0, 3), "identities": (3, 0)}[kind]
    assert counts.match([(0, "mine", "/a", None)], 0.0) == [(*expected, True)]
    assert len(caplog.messages) == (kind == "rules")


def test_an_answer_that_is_read_late_is_no_loss(url, caplog, monkeypatch):
    """The first of all, while another thread has asked and been answered."""
    script_type = pytest.importorskip("redis.commands.core", reason="of the extra redis").Script
    counts = open_counts(url)
    others = [lambda: counts.match([(0, "", "/b", None)], 0.0)]
    ask = script_type.__call__

    def overtaken(script, *given, **named):
        found = ask(script, *given, **named)
        while others:
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(others.pop()).result() == [(1, 0, True)]
        return found

    monkeypatch.setattr(script_type, "__call__", overtaken)
    assert counts.match([(0, "", "/a", None)], 0.0) == [(0, 0, True)]
    assert others == caplog.messages == []


def test_what_could_not_be_told_is_told_later(own_server, nothing_beside, monkeypatch):
    """Unsent notes go with the next attempt, also if they are many, and the last of them waits.

    A take that was to be returned stays.
    """
    counts = open_counts(own_server.url)
    assert counts.take(ONCE)
    own_server.client().save()
    own_server.kill()
    counts.give_back(Take(0, "", 1, beside=True))
    with pytest.raises(StoreUnavailableError):
        counts.take(Take(0, "", 2))
    for _ in range(10_000):
        counts.note_failed(0)
    monkeypatch.setattr(waiting, "clock", lambda: time.monotonic() + 60)
    own_server.start()
    counts.note_failed(0)
    nothing_beside.set()
    until(lambda: counts.totals([0]) == [(0, 0, 10_002)])
    until(lambda: open_counts(own_server.url).totals([0]) == [(0, 0, 10_002)])
    assert not counts.take(ONCE)


def test_a_take_that_is_given_back_beside(url, nothing_beside, monkeypatch):
    """It is there for the next ask of the process, and of its child, at once."""
    counts = open_counts(url)
    given = Take(0, "", 1, beside=True)
    assert [counts.take(ONCE) for _ in range(2)] == [True, False]
    for _ in range(2):
        counts.give_back(given)
        assert [counts.take(ONCE) for _ in range(2)] == [True, False]
    counts.give_back(given)
    assert (counts.totals([0]), counts.take(ONCE)) == ([(0, 0, 0)], True)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    counts.give_back(given)
    assert counts.take(ONCE)


def test_what_is_given_back_beside_is_the_parents(url, nothing_beside):
    """Only the parent returns its counts; a child would let one fault too many through.

    It might also wait for the lock of a thread that it has not.
    """
    counts = open_counts(url)
    assert counts.take(ONCE)
    counts.give_back(Take(0, "", 1, beside=True))
    assert not in_child(lambda: counts.take(ONCE))
    assert [counts.take(ONCE) for _ in range(2)] == [True, False]


def test_what_is_noted_beside_is_the_parents(url, nothing_beside):
    """A child that only looks does not send its parent's notes, which the parent sends itself."""
    counts = open_counts(url)
    counts.note_failed(0)
    assert in_child(lambda: counts.totals([0])) == [[0, 0, 0]]
    assert counts.totals([0]) == [(0, 0, 1)]


FORKED = """
import os, signal, sys, threading
from faultinject.counts import per_process
from tests.counts.opened import open_counts

counts = open_counts(sys.argv[1])
thread = threading.Thread(target=per_process.lock.acquire)
thread.start()
thread.join()
pid = os.fork()
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
signal.alarm(60)  # ends a hang
print(counts.match([(0, "", "/a", None)], 0.0)[0][0], flush=True)
"""


def test_a_fork_while_a_thread_makes_its_state(url, process):
    """A child asks, though nobody would ever unlock the thread's lock there."""
    child = process(FORKED, url)
    assert (child.communicate()[0], child.returncode) == ("0\n", 0)


def test_a_fork_while_a_thread_is_given_a_connection(url, monkeypatch):
    """A child asks, though the fork came while redis-py held a lock.

    Nobody would ever unlock it there.
    """
    parent, begun, go_on = os.getpid(), threading.Event(), threading.Event()
    make = redis.ConnectionPool.make_connection

    def make_slowly(pool):
        if os.getpid() == parent:
            begun.set()
            go_on.wait(60)
        return make(pool)

    def ask():
        signal.alarm(60)  # ends a hang
        return place(counts)

    with monkeypatch.context() as patch:  # so that another connection is needed
        patch.setattr(redis.ConnectionPool, "release", lambda _, connection: connection.disconnect())
        counts = open_counts(url)
    monkeypatch.setattr(redis.ConnectionPool, "make_connection", make_slowly)
    with ThreadPoolExecutor(1) as pool:
        in_parent = pool.submit(place, counts)
        begun.wait(60)
        try:
            assert in_child(ask) == 0
        finally:
            go_on.set()
    assert in_parent.result() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows what a process has open")
def test_a_forked_child_closes_its_parents_connections(url):
    """The server would count them for as long as the child lives."""

    def sockets():
        found = set()
        for descriptor in Path("/proc/self/fd").iterdir():
            # The one that lists them, and what other threads close meanwhile, is gone.
            with suppress(FileNotFoundError):
                found.add(str(descriptor.readlink()))
        return {target for target in found if target.startswith("socket:")}

    before = sockets()
    counts = open_counts(url)
    place(counts)
    parents = sockets() - before
    assert parents

    def ask():
        place(counts)
        return len(parents & sockets())

    assert in_child(ask) == 0


def test_what_was_sent_and_not_answered_counts_as_told(own_server, monkeypatch):
    """A stopped server may have it when it goes on: once more would be a match too many."""
    counts = open_counts(own_server.url)
    counts.note_failed(0)
    assert counts.totals([0]) == [(0, 0, 1)]
    own_server.signal(signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "answer", 0.1)
        counts.note_failed(0)
        assert counts.totals([0]) == [(0, 0, 0)], "what only this process knows"
    own_server.signal(signal.SIGCONT)
    own_server.client().ping()
    counts.note_failed(1)
    until(lambda: counts.totals([0, 1]) == [(0, 0, 2), (0, 0, 1)])


def test_a_server_that_dies_while_it_is_asked(own_server, monkeypatch):
    """Nobody waits for the rest of the time."""
    monkeypatch.setattr(waiting, "answer", 600.0)
    counts = open_counts(own_server.url)
    own_server.signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(place, counts)
        own_server.kill()
        with pytest.raises(StoreUnavailableError):
            asked.result(60)


def test_a_process_that_begins_waits_longer(own_server, monkeypatch):
    """Than a request does: on a busy machine it injects from its first request on."""
    monkeypatch.setattr(waiting, "answer", 0.05)
    monkeypatch.setattr(waiting, "opening", 60.0)
    own_server.signal(signal.SIGSTOP)
    goes_on = threading.Timer(0.3, own_server.signal, [signal.SIGCONT])
    goes_on.start()
    open_counts(own_server.url)
    goes_on.join()


def test_where_there_is_no_thread(url, monkeypatch):
    """Without a thread, notes go with the next question."""
    counts = open_counts(url)

    def none(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    counts.note_failed(0)
    assert open_counts(url).totals([0]) == [(0, 0, 0)]
    assert counts.totals([0]) == open_counts(url).totals([0]) == [(0, 0, 1)]


CHILD = """
import os, sys
from tests.counts.opened import open_counts
counts = open_counts(sys.argv[1])
print("counts", flush=True)
sys.stdin.readline()
counts.note_failed(0)
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
else:
    counts.note_failed(1)
print(counts.totals([0, 1]), flush=True)
if pid:
    os.fork()  # a child that does nothing tells nothing when it ends
"""


def test_a_child_does_not_tell_what_its_parent_could_not(own_server, process):
    """It would be told twice."""
    ran = process(CHILD, own_server.url)
    assert ran.stdout.readline() == "counts\n"
    own_server.kill()
    out, _ = ran.communicate("\n")
    assert out == "[(0, 0, 0), (0, 0, 1)]\n[(0, 0, 1), (0, 0, 0)]\n"


def test_a_user_with_a_password(start_redis):
    """Wrong ones are told without the password."""
    server = start_redis("--requirepass", "se cret/1")
    url = server.url.replace("unix://", "unix://default:se%20cret%2F1@")
    assert place(open_counts(url)) == 0
    told = [
        str(refusal(open_counts, each, sort=StoreUnavailableError))
        for each in (server.url, server.url.replace("unix://", "unix://:s3cret@"))
    ]
    assert told[0].endswith("/s: Authentication required.")
    assert "invalid username-password pair" in told[1] and "cret" not in told[1]


def test_an_encrypted_connection(start_redis, tmp_path, free_ports):
    """The server's certificate is checked; by another authority it is refused."""
    trustme = pytest.importorskip("trustme", reason="of the extra tls")
    [port] = free_ports(1)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = {"cert-file": "cert.pem", "key-file": "key.pem", "ca-cert-file": "ca.pem"}
    options = [word for name, file in files.items() for word in (f"--tls-{name}", str(tmp_path / file))]
    start_redis("--tls-port", port, "--tls-auth-clients", "no", *options)
    servers = f"rediss://127.0.0.1:{port}", f"valkeys://localhost:{port}"
    assert [place(open_counts(f"{each}/1?ca={tmp_path}/ca.pem")) for each in servers] == [0, 1]
    for url, told in (
        (f"rediss://127.0.0.1:{port}?ca={tmp_path}/other.pem", "CERTIFICATE_VERIFY_FAILED"),
        (f"rediss://127.0.0.1:{port}", "CERTIFICATE_VERIFY_FAILED"),
        (f"redis://127.0.0.1:{port}", ""),
    ):
        assert told in str(refusal(open_counts, url, sort=StoreUnavailableError))
    absent = refusal(open_counts, f"rediss://127.0.0.1:{port}?ca={tmp_path}/none.pem")
    assert str(absent).endswith(f"/0: ca: there is no file '{tmp_path}/none.pem'")


def test_a_server_that_takes_no_writes(start_redis):
    """A replica, and one that is full; the message has nothing of the script."""
    server = start_redis("--maxmemory", "1")
    with pytest.raises(StoreUnavailableError, match=r"command not allowed when used memory > 'maxmemory'\.$"):
        open_counts(server.url)
    server.client().config_set("maxmemory", 0)
    counts = open_counts(server.url)
    server.client().replicaof("127.0.0.1", "1")
    with pytest.raises(StoreUnavailableError, match=r"You can't write against a read only replica\.$"):
        place(counts)


@pytest.mark.slow
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
    with pytest.raises(StoreUnavailableError, match=r"/s: Hash slot not served$"):
        open_counts(one.url)
    slot = one.client().execute_command("CLUSTER KEYSLOT", "{faultinject}")
    one.client().execute_command("CLUSTER ADDSLOTSRANGE", 0, slot)
    other.client().execute_command("CLUSTER ADDSLOTSRANGE", slot + 1, 16_383)
    one.client().execute_command("CLUSTER MEET", "127.0.0.1", ports[2], ports[3])
    until(lambda: all(each.client().cluster("INFO")["cluster_state"] == "ok" for each in (one, other)))
    assert place(open_counts(one.url)) == 0
    said = (
        rf"/s: it is a node of a cluster, in which 127\.0\.0\.1:{ports[0]} has the keys of this "
        r"prefix: name that one$"
    )
    with pytest.raises(StoreUnavailableError, match=said):
        open_counts(other.url)


def test_without_the_package(monkeypatch):
    """The message names the command."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"the store redis://h:6379/0 needs redis: .*install"):
        open_counts("redis://h")


def test_what_a_server_repeats_of_a_command_is_not_told(tmp_path):
    """One that does not know `AUTH`, as some that stand before others, says the password again."""
    pytest.importorskip("redis", reason="of the extra redis")
    said = b"-ERR unknown command 'AUTH', with args beginning with: 'SECRET'\r\n"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "redis"))
        listening.listen()

        def answer():
            client, _ = listening.accept()
            with client:
                while client.recv(65_536):
                    client.sendall(said)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        told = str(refusal(open_counts, f"unix://:SECRET@{tmp_path}/redis", sort=StoreUnavailableError))
    assert told.endswith("unknown command 'AUTH'") and "SECRET" not in told
