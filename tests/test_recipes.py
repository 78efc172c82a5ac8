"""A copy of the package follows the contributor's recipes, and a real request shows it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import faultinject

pytestmark = pytest.mark.live

PACKAGE = Path(faultinject.__file__).parent
PAGE = (PACKAGE.parent / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONDITIONS = re.findall(r"^```python condition=(\S+):(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

CHECKS = re.findall(r"^```python check=(\S+):(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

ASK = """
import io, sys, faultinject

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"the app's answer"]

def ask(rules, method, path, **more):
    heads = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "x",
               "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), **more}
    faulty = faultinject.WSGIFaultMiddleware(app, rules, seed=1)
    body = b"".join(faulty(environ, lambda status, headers: heads.append((status, dict(headers)))))
    return heads[0][0], heads[0][1], body.decode()
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, after all recipes."""
    copy = tmp_path_factory.mktemp("recipes") / "faultinject"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in FILES:
        (copy / path).parent.mkdir(exist_ok=True)
        (copy / path).write_text(text, encoding="utf-8")
    [(path, name, text)] = CONDITIONS
    head, table, tail = (
        (copy / path).read_text(encoding="utf-8").partition("CONDITIONS: dict[str, Condition] = {")
    )
    (copy / path).write_text(
        f"{head}{text}\n\n{table}{tail.replace('size, ', f'size, {name}, ', 1)}", encoding="utf-8"
    )
    [(path, _, text)] = CHECKS
    with (copy / path).open("a", encoding="utf-8") as module:
        module.write(f"\n\n{text}")
    return copy


def run(copy: Path, *arguments: str) -> str:
    """The output of a Python that imports the copy."""
    hidden = ("FAULTINJECT_", "COV", "PYTEST_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environ["PYTHONPATH"] = str(copy.parent)
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environ,
        cwd=copy.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_of_a_vendor_makes_a_vendor(copy: Path) -> None:
    """A folder is enough: rules, groups, ids, addresses and the command line know the vendor."""
    ask = """
status, headers, body = ask(
    "acme:@throttle,bucket=photos,key=cat.jpg", "PUT", "/cat.jpg", HTTP_HOST="photos.storage.acme.example"
)
id_ = headers["X-Acme-Request-Id"]
known = "acme" in faultinject.vendors.names()
print(known, status, headers["Content-Type"], headers["Retry-After"], len(id_), body.replace(id_, "~").strip())
"""
    assert run(copy, "-c", ASK + ask) == (
        "True 503 Service Unavailable application/json 60 8 "
        '{"error":"SlowDown","text":"Please reduce your request rate.","on":"/photos/cat.jpg","id":"~"}\n'
    )
    assert "Please reduce your request rate." in run(copy, "-m", "faultinject", "vendors", "acme:SlowDown")


def test_the_recipe_of_a_condition_makes_a_condition(copy: Path) -> None:
    """A function is enough: text, Python, `unless.` and the nearest spelling know the key.

    Explorations refuse what no journal keeps.
    """
    ask = """
print(ask("http:503,agent=boto3*", "GET", "/", HTTP_USER_AGENT="Boto3/1.44")[2])
print(ask("http:503,unless.agent=boto3*", "GET", "/", HTTP_USER_AGENT="Boto3/1.44")[2])
scenario = faultinject.Scenario("http:503,path=a,agent=boto3*")
print(faultinject.Rule("http:503", agent="boto3*", path="a") == scenario.rules[0])
from faultinject.testing.exploration.choices import choices_of
for wrong in (lambda: faultinject.Rule("http:503", agnet="x"), lambda: choices_of(["reset,agent=x"])):
    try:
        wrong()
    except faultinject.FaultInjectError as error:
        print(error)
"""
    assert run(copy, "-c", ASK + ask) == (
        "Service Unavailable\nthe app's answer\nTrue\nhttp:503: agnet is not a key; did you mean agent?\n"
        "reset,agent=x: explore cannot compare requests by agent;"
        " it can by method, path, host, query, operation, bucket and key\n"
    )


def test_the_recipe_of_a_check_makes_a_check(copy: Path) -> None:
    """A function is enough: a report has the check's verdict, and `ignore` leaves it out."""
    [(_, name, _)] = CHECKS
    ask = f"""
from faultinject.journal.attempts import Attempt
from faultinject.audit.judging import judge

def attempts(wait):
    for number in range(3):
        for arrived in (100.0 * number, 100.0 * number + wait):
            yield Attempt.of({{
                "time": arrived, "arrived": arrived, "answered": arrived, "pid": 1, "seq": 0, "method": "GET",
                "path": f"/{{number}}", "query": "", "applied": False, "guarded": False,
                "fault": "http:503", "did": "answered", "status": 503,
                "attempt_hint": {{"invocation": str(number)}},
            }})

for wait, ignore in ((2.0, ()), (0.5, ()), (0.5, ["{name}"])):
    findings = judge(attempts(wait), until=1000.0, ignore=ignore).findings
    print([(each.verdict, each.message, len(each.calls), each.action) for each in findings if each.check == "{name}"])
"""
    assert run(copy, "-c", ask).splitlines() == [
        "[('PASS', '0 of 3 calls retried within a second', 0, '')]",
        "[('FAIL', '3 of 3 calls retried within a second', 3, 'Wait a second before the first retry.')]",
        "[]",
    ]


def test_the_recipe_of_a_profile_makes_a_profile(copy: Path) -> None:
    """A file is all it takes: its name chooses it, and a user agent finds it."""
    ask = """
from faultinject.audit import profiles
print(profiles.get("acme").bounds("throttle", 3)[1], profiles.detect("acme-sdk/2.1 python").name)
"""
    assert run(copy, "-c", ask) == "2.0 acme\n"
