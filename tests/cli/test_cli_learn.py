"""`faultinject learn`: what it writes, and what is no log."""

import gzip
import json

import pytest

from faultinject import Scenario

LINE = '192.0.2.3 - - [17/Nov/2026:10:00:{:02} +0000] "GET /bucket/k HTTP/1.1" {} 12 "-" "x"\n'


@pytest.fixture
def log(tmp_path):
    """A log of sixty requests, of which every fifth failed and one was not found."""

    def make(name="access.log", more=""):
        text = (
            "".join(LINE.format(n, 503 if n % 5 == 0 else 404 if n == 7 else 200) for n in range(60)) + more
        )
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return str(path)

    return make


def test_what_it_writes(run, succeeds, log, tmp_path):
    """A file of rules with the numbers behind them, which is a scenario."""
    path = log(more="garbage\n" + LINE.format(59, 499))
    out = succeeds("learn", path)
    assert out.splitlines() == [
        f"# nginx or Apache access log: {path}",
        "# 60 requests from 2026-11-17T10:00:00Z to 2026-11-17T10:01:00Z",
        "# 1 of 62 lines is of another form, and was left out:",
        f"#   {path}:61",
        "# 1 line left out: the client left before the answer",
        "# left out: 1 × 404 to GetObject: a mistake of the client's own, by its status",
        "",
        "# 12 of 60 requests, 20 % (95 %: 11.8 to 31.8 %)",
        "[[rules]]",
        'fault = "http:503"',
        'operation = "GetObject"',
        "probability = 0.2",
    ]
    written = tmp_path / "rules.toml"
    assert run("learn", log("access.log.gz"), "-o", str(written)) == (0, "", "")
    assert str(Scenario.load(written)) == "http:503,operation=GetObject,probability=0.2"


def test_a_dash_is_the_standard_output(run, log, tmp_path, monkeypatch):
    """As in `convert`: no file has that name."""
    monkeypatch.chdir(tmp_path)
    path = log()
    assert run("learn", path, "-o", "-") == run("learn", path)
    assert not (tmp_path / "-").exists()


def test_its_numbers(run, log):
    """The same as JSON."""
    code, out, _ = run("learn", log(), log("b.log"), "--json", "--all", "--vendor", "cos")
    data = json.loads(out)
    assert (code, data["requests"], data["lines"], data["broken"], data["left_out"]) == (0, 120, 120, 0, [])
    rules = [
        (each["rule"]["fault"], each["rule"]["vendor"], each["failed"], each["requests"])
        for each in data["rules"]
    ]
    assert rules == [("http:503", "cos", 24, 120), ("http:404", "cos", 2, 120)]


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("a b c\n" * 9, (), "its lines have none of the known formats (cloudfront, s3, oss, cos, nginx); choose one with --format"),
        ("a b c\n" * 9, ("--format", "s3"), "none of 9 lines has the form of the Amazon S3 server access log"),
        ("", ("--format", "cos"), "there is no request in it"),
        (LINE.format(1, 200), (), "no error to learn from in 1 request\n"),
        (LINE.format(1, 404), (), "no error to learn from in 1 request; --all takes those that were left out"),
        (LINE.format(1, 503), ("--vendor", "coss"), "coss"),
        (LINE.format(1, 503), ("-o", "/no/such/file"), "-o: cannot write to /no/such/file: No such file or directory"),
    ],
)  # fmt: skip
def test_wrong_input(refused, tmp_path, text, arguments, says):
    """Exit code 2, and why."""
    path = tmp_path / "log"
    path.write_text(text)
    assert says in refused("learn", str(path), *arguments)


def test_a_damaged_file(refused, tmp_path):
    """A damaged file is named with its damage."""
    damaged, whole = tmp_path / "damaged.gz", gzip.compress(LINE.encode() * 99)
    said = f"faultinject: {damaged}: the gzipped file is cut or damaged: "
    for content in (whole[:-12], whole[:12] + b"\xff\xff\xff" + whole[15:]):
        damaged.write_bytes(content)
        assert refused("learn", str(damaged)).startswith(said)


def test_no_error_is_data_too(run, tmp_path):
    """As JSON there are no rules then."""
    path = tmp_path / "log"
    path.write_text(LINE.format(1, 200))
    code, out, errors = run("learn", str(path), "--json")
    assert (code, errors, json.loads(out)["rules"]) == (0, "", [])
