"""Every block of the README and of the documentation runs, and shows what really comes."""

import ast
import contextlib
import inspect
import io
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from flask import Flask

import faultinject
from faultinject.audit.profiles import get
from faultinject.cli.program import group as program
from faultinject.store.stores import STORES
from tests.console import command as command_line
from tests.documents import BLOCKS, PAGES, ROOT
from tests.measured import without_times

pytestmark = pytest.mark.live

TEXT = "\n".join(PAGES.values())
# Those of pages that make files belong together: `test_walks.py` follows such a page from its beginning to its end.
WALKS = {each.page for each in BLOCKS if each.info and "file=" in each.info}
STANDING = [each for each in BLOCKS if each.page not in WALKS]
INSTALLS = [line for line in PAGES["README.md"].splitlines() if line.startswith("python3 -m venv")]


def blocks(language: str) -> list[object]:
    """The blocks of a language, as parameters named by their place."""
    return [pytest.param(each.body, id=each.place) for each in STANDING if each.language == language]


def test_every_block_is_of_a_language_that_is_run_here() -> None:
    """No block escapes: `text` is for pictures, and for lines that other tests know."""
    assert {each.language for each in STANDING} == {"sh", "python", "toml", "http", "text"}
    assert f"\n{TEXT}".count("\n```") == 2 * len(BLOCKS)


SDK_PAGE = "docs/how-to/point-your-sdk.md"
SECTIONS = re.split(r"^## .*\n\nVendor: ", PAGES[SDK_PAGE], flags=re.MULTILINE)[1:]
SDK_SECTIONS = {each.partition(". ")[0].strip("`"): each for each in SECTIONS}
AS_S3 = re.compile(r'`\. Client: boto3, as \[Amazon S3\]\(#amazon-s3\), with `(region_name="[\w-]+")`\.')
"""A section whose client is that of another one."""


def sdk_blocks(section: str) -> list[str]:
    """The blocks of a section, or the one that it changes by a word."""
    if same := AS_S3.search(section):
        return [body.replace('region_name="us-east-1"', same[1]) for body in sdk_blocks(SDK_SECTIONS["s3"])]
    return re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


SDK_BLOCKS = [
    pytest.param(vendor, body, id=f"{vendor} {number}")
    for vendor, section in SDK_SECTIONS.items()
    for number, body in enumerate(sdk_blocks(section))
]


def test_every_vendor_has_its_client() -> None:
    """Each vendor has a section, and each vendor with a store shows its client.

    The section shows the values that the fixture gives; the other sections say that there is no store.
    """
    assert sorted(SDK_SECTIONS) == sorted(faultinject.vendors.own_names())
    assert len(SECTIONS) == len(SDK_SECTIONS) == PAGES[SDK_PAGE].count("\n## ")
    assert {each.values[0] for each in SDK_BLOCKS} == set(STORES)
    no_store = r"`[\w-]+`\. (There is no|A gateway is not a) store"
    client = rf"(?s:.)*(\w\([^`]*\*\*[^`]*client_kwargs\)|{AS_S3.pattern})"
    for vendor, section in SDK_SECTIONS.items():
        assert re.match(client if vendor in STORES else no_store, section), vendor
    others = [each for each in blocks("python") if "127.0.0.1" in each.values[0] and SDK_PAGE not in each.id]
    assert [each.id for each in others if "def test_" not in each.values[0]] == []


@pytest.mark.filterwarnings("ignore")  # of the SDKs' source, and of the sockets that their users leave open
@pytest.mark.parametrize(("vendor", "body"), SDK_BLOCKS)
def test_sdk_block_reaches_the_store(vendor: str, body: str) -> None:
    """The page's client stores and loads an object, through a server such as `serve`.

    Only the port is another.
    """
    if vendor == "tos":
        pytest.importorskip("tos", reason="tos does not go with the others' versions")
    with contextlib.closing(faultinject.Storage(vendor)) as storage:
        test_python_block_prints_what_it_says(body.replace("8000", storage.url.rpartition(":")[2]))


@pytest.mark.parametrize(
    "body",
    [
        each
        for each in blocks("python")
        if not any(word in each.values[0] for word in ("def test_", "127.0.0.1"))
    ],
)
def test_python_block_prints_what_it_says(body: str) -> None:
    """A block prints the text that stands behind `# ` after a print, or below it."""
    expected = [line.partition(")  # ")[2] for line in body.splitlines() if ")  # " in line]
    expected += [line.removeprefix("# ") for line in body.splitlines() if line.startswith("# ")]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(body, "page", "exec"), {"__name__": "page"})
    assert [each.rstrip() for each in printed.getvalue().splitlines()] == expected


EXPLORED = [each for each in blocks("python") if "faultinject_explore" in each.values[0]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [each for each in blocks("python") if "def test_" in each.values[0] and each not in EXPLORED]
)
def test_pytest_block_passes(body: str, pytester: pytest.Pytester) -> None:
    """The README's tests pass; a bare marker line fails, because it meets no request."""
    whole = "import " in body
    pytester.makepyfile(test_photos=body if whole else f"import pytest\n{body}")
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider")
    result.assert_outcomes(**({"passed": 1} if whole else {"failed": 1}))


@pytest.mark.slow
def test_explored_block_prints_what_it_says(pytester: pytest.Pytester) -> None:
    """The page shows the example's test and its real report, except times and ids.

    It leaves out the example's mark that the test fails.
    """
    [body], [shown] = (
        {each.values[0] for each in EXPLORED},
        {each.values[0] for each in blocks("text") if "replay: @pytest" in each.values[0]},
    )
    folder = ROOT / "examples" / "explore_multipart"
    source = (folder / "test_explore_multipart.py").read_text(encoding="utf-8")
    head = source.partition("@pytest.mark")[0]
    fixtures = source.partition("@pytest.fixture")[2].partition("@pytest.mark")[0]
    pytester.makepyfile(f"{head}@pytest.fixture{fixtures}{body}")
    pytester.makeini("[pytest]")
    result = pytester.runpytest_subprocess(
        "-p", "no:randomly", "-p", "no:cacheprovider", "-o", f"pythonpath={folder.parent}"
    )
    result.assert_outcomes(failed=1)
    lines = without_chance(result.stdout.str()).splitlines()
    expected = without_chance(shown).splitlines()
    first = lines.index(expected[0])
    assert lines[first : first + len(expected)] == expected
    assert without_docstring(body) == without_docstring(source)


def without_docstring(source: str) -> list[str]:
    """The lines of the function `test_upload`."""
    [found] = [each for each in ast.parse(source).body if getattr(each, "name", "") == "test_upload"]
    return [
        ast.unparse(each) for each in found.body if not isinstance(getattr(each, "value", None), ast.Constant)
    ]


def without_chance(text: str) -> str:
    """The text without how long it took, and with `~` for the ids of uploads."""
    return re.sub(r"(?<=uploadId=)[0-9a-f]+", "~", without_times(text))


RULES, PROFILES = (
    [each for each in blocks("toml") if ("[[rules]]" in each.values[0]) is rules] for rules in (True, False)
)


@pytest.mark.parametrize("body", PROFILES)
def test_profile_block_is_a_profile(body: str, tmp_path: Path) -> None:
    """It is read, and says what it seems to say."""
    (tmp_path / "uploader.toml").write_text(body)
    profile = get(str(tmp_path / "uploader.toml"))
    assert (profile.name, profile.title, profile.attempts) == ("uploader", "Our uploader", 5)
    for kind, longest in (("throttle", {1: 1, 2: 2, 9: 20}), ("server", {1: 0.1, 2: 0.5, 3: 2, 9: 2})):
        assert {each: (profile.bounds(kind, each) or (0, 0))[1] for each in longest} == longest


@pytest.mark.parametrize("body", RULES)
def test_toml_block_is_the_rule_in_text(body: str, tmp_path: Path) -> None:
    """The same rule in text, TOML, Python and as a marker: one rule, however spelt."""
    (tmp_path / "rules.toml").write_text(body)
    scenario = faultinject.Scenario.load(tmp_path / "rules.toml")
    assert rules_in_text(f"{scenario.rules[0].fault},") == scenario.rules


def rules_in_text(beginning: str) -> tuple[faultinject.Rule, ...]:
    """The rules of the one block of text that begins so."""
    [text] = [each.body for each in BLOCKS if each.language == "text" and each.body.startswith(beginning)]
    return faultinject.Scenario.parse(text).rules


def test_the_first_rule_is_spelt_in_four_ways() -> None:
    """The page's first rule is the same in text, in Python and as a marker."""
    arguments = re.findall(
        r"(?:Rule|mark\.faultinject)(\(.*retry_after.*\))", PAGES["docs/reference/rules.md"]
    )
    rules = [eval(f"Rule{each}", {"Rule": faultinject.Rule}) for each in arguments]
    assert rules == [*rules_in_text("cos:SlowDown")] * 2


@pytest.mark.parametrize("body", blocks("http"))
def test_http_block_is_what_the_first_example_answers(body: str) -> None:
    """Status, headers in their order and body, byte for byte but for the ids."""
    app = faultinject.install(Flask("readme"), "cos:SlowDown,times=2,method=PUT", enabled=True)
    answer = app.test_client().put("/photos/cat.jpg", data=b"...")
    lines = [
        f"HTTP/1.1 {answer.status}",
        *(f"{name}: {value}" for name, value in answer.headers),
        "",
        answer.text,
    ]
    assert without_ids("\n".join(lines)).rstrip() == without_ids(body).rstrip()


def without_ids(text: str) -> str:
    """The text with `~` for COS's two ids."""
    return re.sub(r"\b[A-Za-z0-9+/]{36,}={0,2}", "~", text)


COMMANDS = [line for each in STANDING if each.language == "sh" for line in each.body.splitlines()]


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each.split()[1] in {"vendors", "preview", "check"}]
)
def test_command_ends_well(command: str) -> None:
    """The commands that only show something exit with 0 and print something.

    `serve` and `demo` have tests of their own.
    """
    name, *arguments = shlex.split(command)
    ours = dict.fromkeys(each for each in os.environ if each.startswith("FAULTINJECT_"))
    result = command_line(*arguments, env=ours)
    assert (name, result.exit_code, result.stderr) == ("faultinject", 0, "")
    assert result.stdout.strip()


def test_every_command_is_known() -> None:
    """A command line of the README begins with one that `faultinject` has."""
    told = "\n".join(each.body for each in BLOCKS if each.language == "sh")
    assert set(re.findall(r"^faultinject ([\w-]+)", told, re.MULTILINE)) == set(program.commands)
    assert [line for line in COMMANDS if not line.startswith("faultinject ")] == []


def test_the_two_commands_are_what_ci_runs() -> None:
    """`.ci/run` takes both install commands from the README, word for word; there are no others."""
    assert INSTALLS == [
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[demo]' && .venv/bin/faultinject demo",
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest -q",
    ]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert [script.count(each) for each in INSTALLS] == [1, 1]


def test_every_extra_is_named() -> None:
    """On the page of the installation, but for the one of the project's own tests."""
    told = "".join(re.findall(r"^\| (`.*?) \|", PAGES["docs/how-to/install.md"], re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert {*re.findall(r"`([\w-]+)`", told)} == {*extras} - {"test"}


ATTEMPTS = re.findall(r"^\| `([\w-]+)` \| (\d) \| ([\d. |]+) \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("client", "attempts", "cells"), ATTEMPTS)
def test_chances_of_a_call_are_powers(client: str, attempts: str, cells: str) -> None:
    """p^n for the four probabilities of the table's head."""
    assert [float(each) for each in cells.split("|")] == pytest.approx(
        [p ** int(attempts) for p in (0.1, 0.3, 0.5, 0.9)]
    )


def test_attempts_are_the_sdks_own_defaults() -> None:
    """The table says what the SDKs say of themselves."""
    import botocore.session
    import yaml
    from qcloud_cos import CosS3Client
    from qingstor.sdk import config as qingstor

    with contextlib.closing(
        botocore.session.get_session().create_client("s3", region_name="us-east-1")
    ) as client:
        assert client.meta.config.retries["mode"] == "standard"
    standard = 3  # botocore's own word for it: `retries.standard.DEFAULT_MAX_ATTEMPTS`
    assert {name: int(attempts) for name, attempts, _ in ATTEMPTS} == {
        "jss-upload": 1,
        "boto3": standard,
        "cos-python-sdk-v5": inspect.signature(CosS3Client).parameters["retry"].default + 1,
        "qingstor-sdk": yaml.safe_load(qingstor.default_config_file_content)["connection_retries"] + 1,
    }
