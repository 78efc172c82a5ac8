"""The functions that are fuzzed: each takes odd input, and fails where a promise is broken.

Input is read or refused with an error of ours, soon, and no output holds a character which a terminal, a browser or a
log would obey: control characters (C0, C1), bidirectional and other format characters, line separators.
"""

import asyncio
import io
import json
import logging
import os
import tempfile
from xml.etree import ElementTree as XML

from click.testing import CliRunner
from werkzeug.test import run_wsgi_app

from faultinject import ASGIFaultMiddleware, Injector, Scenario, WSGIFaultMiddleware, inject
from faultinject.audit.judging import judge
from faultinject.audit.reports import FORMATS, render
from faultinject.cli.program import group as program
from faultinject.exceptions import ConfigurationError, ReportError
from faultinject.journal.reading import of_outcomes, read

LONGEST = 2000
MOST = 20
"""Problems that are told, and one that tells of the rest."""
RULES = (
    "cos:SlowDown", "s3:NoSuchKey,probability=0.5", "http:503,times=1,name=late", "latency,delay=0s",
    "gcs:backendError", "azure-blob:ServerBusy,when=after", "http:503,key=a*", "corrupt,flips=1",
)  # fmt: skip


def prints(text: str) -> None:
    """Every line of it prints."""
    found = [
        (ascii(each), ascii(line[:300]))
        for line in text.split("\n")
        for each in line
        if not each.isprintable()
    ]
    assert found[:5] == []


def is_told(error: ConfigurationError) -> None:
    """Its messages are few, short, and print."""
    assert 1 <= len(error.problems) <= MOST + 1
    for each in error.problems:
        assert len(str(each)) <= LONGEST
        assert "\n" not in each.message + each.where
        prints(f"{each}\n{each!r}")


def rule_text(text: str) -> None:
    """It is either rules, which are the same when they are written and read again, or a mistake."""
    try:
        scenario = Scenario.parse(text)
    except ConfigurationError as error:
        is_told(error)
        return
    again = [str(each) for each in scenario.rules]
    assert [str(each) for each in Scenario.parse("\n".join(again)).rules] == again
    read = (Scenario.from_toml(scenario.to_toml()), Scenario.from_json(scenario.to_json()))
    assert [each.rules for each in read] == [scenario.rules] * 2


def toml(text: str) -> None:
    """The same as TOML and as JSON."""
    for reads in (Scenario.from_toml, Scenario.from_json):
        try:
            scenario = reads(text)
        except ConfigurationError as error:
            is_told(error)
        else:
            assert Scenario.from_toml(scenario.to_toml()).rules == scenario.rules


def environ(variables: dict[str, str]) -> None:
    """Whatever stands in variables."""
    given = {f"FAULTINJECT_{name}": value for name, value in variables.items()} | {"FAULTINJECT_ENABLED": "1"}
    try:
        Injector(environ=given)
    except ConfigurationError as error:
        is_told(error)


def exchange(rule: int, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    """A request of any characters is answered by WSGI and ASGI, and all output is printable."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logger = logging.getLogger("faultinject")
    told = logging.getLogger("faultinject.injections")
    level = told.level
    told.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    propagates, logger.propagate = logger.propagate, False
    try:
        with inject(RULES[rule % len(RULES)], "http:599,path=nowhere", seed=1) as faults:
            _ask_wsgi(method, path, query, headers, body)
            asyncio.run(_ask_asgi(method, path, query, headers, body))
        _all_outputs(faults)
    finally:
        logger.propagate = propagates
        logger.removeHandler(handler)
        told.setLevel(level)
    prints(said.getvalue())


def _ask_wsgi(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    def app(given, start_response):
        start_response("200 OK", [("Content-Length", "3")])
        return [given["wsgi.input"].read()[:0] + b"abc"]

    given = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "RAW_URI": f"{path}?{query}",
        "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "5",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }  # fmt: skip
    _, status, sent = run_wsgi_app(
        WSGIFaultMiddleware(app, injector=Injector([], environ={})), given, buffered=True
    )
    assert "".join((status, *(name + value for name, value in sent))).isprintable()


async def _ask_asgi(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"abc"})

    async def receive():
        return {"type": "http.request", "body": body}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": query.encode("utf-8", "surrogateescape"), "http_version": "1.1", "client": ("127.0.0.1", 5),
        "headers": [(name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                    for name, value in headers.items()],
    }  # fmt: skip
    await ASGIFaultMiddleware(app, injector=Injector([], environ={}))(scope, receive, send)
    assert b"".join(name + value for name, value in sent[0]["headers"]).decode("latin-1").isprintable()


def _all_outputs(faults) -> None:
    prints(repr([*faults.outcomes, faults]))
    for ask in (faults.assert_all_fired, lambda: faults.assert_retries(strict=True)):
        try:
            ask()
        except (AssertionError, Warning) as error:
            prints(str(error))
    _reports(judge(of_outcomes(faults.outcomes)))


def _reports(judgement) -> None:
    for name in FORMATS:
        text = render(judgement, name)
        prints(text.replace("\t", ""))
        if name == "json":
            json.loads(text)
        elif name == "junit":
            XML.fromstring(text)


def journal(data: bytes) -> None:
    """Any bytes are a journal that can be judged, or none; either is said."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            judgement = judge(read([file.name]))
        except ReportError as error:
            assert len(str(error)) <= LONGEST
            prints(str(error))
        else:
            _reports(judgement)


COMMANDS = (
    ("check", "{}"), ("check", "--file", "{}"), ("check", "http:503", "--request", "{}"),
    ("check", "http:503", "--request", "GET /{}"), ("check", "http:503,path=*", "--request", "PUT /a", "--host", "{}"),
    ("check", "http:503", "--request", "GET /a", "--seed", "{}"), ("check", "http:503,name={}"),
    ("check", "--json", 'http:503,path="{}"'), ("check", "http:503", "--{}"),
    ("preview", "{}"), ("preview", "latency", "--path", "{}"), ("preview", "hang", "--method", "{}"),
    ("preview", "cos:SlowDown,path=b", "--path", "{}", "--body", "{}"),
    ("vendors", "{}"), ("vendors", "cos:{}"), ("vendors", "cos", "--operations", "{}"),
    ("report", "{}"), ("report", "--profile", "{}", os.devnull), ("report", "--ignore", "{}", os.devnull),
    ("report", "-o", "{}", os.devnull), ("conformance", "--client", "{}", "--phase", "none", "--phase", "{}"),
    ("conformance", "--deadline", "{}", "--phase", "none"), ("explore", "-r", "cos:{}", "--", "{}"),
    ("run", "-r", "{}", "--", "there is none, {}"), ("serve", "--host", "256.0.0.0", "--vendor", "{}"), ("x{}",), ("--x{}",),
)  # fmt: skip
"""None of them starts or serves anything."""


def command(number: int, text: str) -> None:
    """The command line with odd words; nothing that runs for long is among them."""
    words = [each.replace("{}", text) for each in COMMANDS[number % len(COMMANDS)]]
    if "\0" in text or any("\ud7ff" < each < "\udc80" or "\udcff" < each < "\ue000" for each in text):
        return  # no argument can hold these
    result = CliRunner().invoke(program, words, prog_name="faultinject")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2, 3)
    assert "Traceback" not in result.output
    assert max(map(len, ["", *result.stderr.splitlines()])) <= LONGEST + 100
    prints(result.stderr)
    if words[0] != "preview":  # the bytes of an answer, on purpose
        prints(result.stdout)
