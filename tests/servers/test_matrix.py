"""Faults on real servers, seen by a client on a raw socket."""

import pytest

from tests.pairs import fewest

from .faults import FAULTS
from .launch import KINDS, SERVERS, UNREACHABLE, VARIANTS
from .probe import request
from .results import RESULTS, check
from .table import BUFFERS
from .trial import Trial

OVER_OTHER_TRANSPORTS = (
    "latency",
    "hang",
    "hang, five and others",
    "reset",
    "reset, after",
    "close",
    "reset, after_bytes",
    "error, after_bytes",
    "stall, after_bytes",
    "reset, after, after_bytes",
    "stall, after, after_bytes",
    "truncate",
    "drip",
    "corrupt",
    "status=200, late",
)
CASES = [(server, fault) for server in SERVERS for fault in FAULTS]
CASES += [(server, fault) for server in VARIANTS for fault in OVER_OTHER_TRANSPORTS]
QUICK = ("faultinject serve", "gunicorn sync", "uvicorn h11")
"""Ours, one with processes and an event loop; the others are slow together, not each."""
FEW = ("faultinject serve", "gunicorn sync", "waitress", "uvicorn h11")
"""Servers for the rare cases: ours, one without buffering, one with it, and an event loop."""
WAITS = ("stall, after, after_bytes", "drip", "status=200, late")
"""Faults that take a second: one server is asked for them."""
VAIN = "stall, after_bytes"
"""Takes two waits in vain; in the default suite small servers in this process stall."""


def kind(fault):
    """Faults that others of their kind represent."""
    if fault.startswith(("hang", "reset", "close")) and "after_bytes" not in fault:
        return "ends instead of an answer"
    if "after_bytes" in fault and "after, " not in fault:
        return "in the middle of an upload"
    if fault.startswith("truncate") or "after_bytes" in fault:
        return "in the middle of an answer"
    if fault.startswith(("latency", "drip", "corrupt")):
        return "the app's answer, otherwise"
    return "an answer instead of the app's"


def way(server):
    """The connection between server and clients, and the kind of app."""
    return server.partition(", ")[2] or SERVERS[server].interface


def shows(case):
    """The observations of one fault on one server."""
    server, fault = case
    yield server, kind(fault)
    if KINDS[server].missing:
        return
    yield way(server), fault
    yield server in QUICK, fault
    yield fault, *RESULTS.get(server, {}).get(fault, {server: fault}).items()


MARKED = [
    pytest.param(server, fault)
    if server in QUICK and fault != VAIN and (fault not in WAITS or server == "uvicorn h11")
    else pytest.param(server, fault, marks=pytest.mark.slow)
    for server, fault in fewest(CASES, shows)
]


def started(pool, name):
    """The running server, or the reason why it cannot run here."""
    if why := KINDS[name].missing:
        pytest.skip(why)
    return pool.get(name)


DONE = {
    "latency": ("answered", "delayed"),
    "hang": ("FIN", "closed"),
    "hang, after": ("FIN", "closed"),
    "hang, client leaves": ("let go", "closed"),
    "hang, five and others": ("others answered", "closed"),
    "reset": ("RST", "reset"),
    "reset, after": ("RST", "reset"),
    "reset, late": ("RST", "reset"),
    "close": ("FIN", "closed"),
    "close, after": ("FIN", "closed"),
    "truncate": ("FIN", "truncated"),
    "truncate, keep=0": ("FIN", "truncated"),
    "truncate, no length": ("FIN", "truncated"),
    "reset, after_bytes": ("RST at the byte", "reset"),
    "close, after_bytes": ("FIN at the byte", "closed"),
    "hang, after_bytes": ("FIN at the byte", "closed"),
    "error, after_bytes": ("answered at the byte", "answered"),
    "stall, after_bytes": ("whole, stalled at the byte", "stalled"),
    "reset, after, after_bytes": ("RST", "reset"),
    "close, after, after_bytes": ("FIN", "closed"),
    "hang, after, after_bytes": ("FIN", "closed"),
    "stall, after, after_bytes": ("500 bytes, then the rest", "stalled"),
    "drip": ("answered, others answered", "dripped"),
    "corrupt": ("answered", "corrupted"),
}
IN_AN_UPLOAD = [fault for fault, (saw, _) in DONE.items() if saw.endswith("at the byte")]
# Where less can be done than that: no RST on a unix socket and behind a router; a slow body keeps the only worker;
# granian shows an app no socket.
WITHOUT_SOCKET = {
    **{
        fault: ("answered", "answered")
        for fault in DONE
        if fault.startswith(("reset", "close", "hang"))
        and "after_bytes" not in fault
        and "leaves" not in fault
    },
    "hang, five and others": DONE["hang, five and others"],
    **dict.fromkeys(
        ("reset, after_bytes", "close, after_bytes", "hang, after_bytes"),
        ("answered at the byte", "answered"),
    ),
    "reset, after, after_bytes": ("FIN", "closed"),
}
LESS = {
    **{
        (server, fault): seen
        for server in UNREACHABLE
        for fault, seen in WITHOUT_SOCKET.items()
        if (server, fault) in CASES
    },
    # What is read before the app is called is at its end before the fault can come; the journal says how much was read.
    **{
        (server, fault): (DONE[fault][0].replace("at the byte", "after the whole upload"), DONE[fault][1])
        for server in BUFFERS
        for fault in IN_AN_UPLOAD
    },
    **{
        (server, "reset, after_bytes"): ("FIN at the byte", "closed")
        for server in VARIANTS
        if "TLS" not in server
    },
    ("granian WSGI", "truncate, no length"): ("answered", "truncated"),
    **{
        (server, "drip"): ("answered, others waited", "dripped")
        for server in KINDS
        if server.startswith(("gunicorn sync", "wsgiref", "uWSGI"))
    },
    **{
        (server, fault): ("FIN", "closed")
        for server in VARIANTS
        for fault in ("reset", "reset, after", "reset, after, after_bytes")
        if "TLS" not in server
    },
}


@pytest.mark.parametrize(("server", "fault"), MARKED)
def test_fault(pool, server, fault):
    """The client and the journal show what the table says."""
    check(server, fault, FAULTS[fault](Trial(started(pool, server), fault)))


def test_the_results_are_of_these_servers_and_faults():
    """Nothing is in the file that is not tested, and the other way round."""
    assert sorted((server, fault) for server, found in RESULTS.items() for fault in found) == sorted(CASES)


def test_every_fault_is_done_on_every_server():
    """But for what is listed: writing the results anew cannot hide that a server lost a fault."""
    wanted = {case: DONE[case[1]] for case in CASES if case[1] in DONE} | LESS
    found = {(server, fault): RESULTS[server][fault] for server, fault in wanted}
    assert {case: (seen["saw"], seen["did"]) for case, seen in found.items()} == wanted


CHUNKS = "Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "server", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in SERVERS]
)
def test_a_body_is_known_where_it_was_announced(pool, server):
    """A retry that lost its body does not look like a body of unknown length, nor the reverse."""
    trial = Trial(started(pool, server), "PUT")
    found = []
    for more, sent in (("", b""), (CHUNKS, b"4\r\nmeow\r\n0\r\n\r\n")):
        path = trial.path("else", "no-body")
        with trial.server.connect() as client:
            client.send(request("PUT", path, more=f"{more}Connection: close\r\n") + sent)
            client.answer("PUT")
        found.append(trial.server.outcome(path)["request_bytes"])
    assert found in ([0, 4], [0, None])
