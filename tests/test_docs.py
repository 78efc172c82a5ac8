"""The tables of the documentation match the code.

`python -m tests.test_docs` writes them anew.
"""

import ast
import inspect
import json
import re
import runpy
import tomllib
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from faultinject import Outcome, Scenario, literals, vendors
from faultinject.adapters.import_hooks import SERVERS
from faultinject.audit.checks import CHECKS
from faultinject.audit.conclusion import LEFT_OUT
from faultinject.audit.documents import Document
from faultinject.audit.profiles import get
from faultinject.audit.profiles import names as profile_names
from faultinject.audit.reports.text import text
from faultinject.cli.report import Journals
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.effects import EFFECTS
from faultinject.rules.faults import FAULTS
from faultinject.rules.names import VARIABLES
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.vocabulary import KEYS
from tests import command_lines, control_api_page, log_lines, python_page, vendor_pages
from tests.console import command
from tests.documents import BLOCKS, PAGES, ROOT, Block, table, table_of, write_table
from tests.hooks.frameworks import FRAMEWORKS
from tests.journals import line
from tests.rows import each_row

SAFETY = ROOT / "docs" / "explanation" / "safety.md"
OF_THE_HOUSE = (ROOT / ".github" / "CONTRIBUTING.md", ROOT / "docs" / "project" / "architecture.md", SAFETY)
"""The pages that name files and what is in them."""


def doc_of(word: object) -> str:
    """The docstring of a key or a fault, with its example."""
    return inspect.cleandoc(getattr(word, "doc", None) or word.__doc__ or "")


def example(key: object) -> str:
    """The rule in text that the example makes, or its source where it prints something else."""
    lines = doc_of(key).splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith(">>> ")]
    source = lines[at].removeprefix(">>> ")
    return lines[at + 1] if source.startswith("print(") else source.partition(".value(")[0]


def prose(key: object) -> str:
    """The meaning without its example, on one line."""
    return " ".join(doc_of(key).partition(">>> ")[0].split())


def conditions() -> str:
    """One row a condition."""
    return table(
        ("key", "matches", "example"),
        ((f"`{key.title}`", prose(key), f"`{example(key)}`") for key in CONDITIONS.values()),
    )


def defaulted(key: Any) -> str:
    """The default in words."""
    words = {"off", "none", "no limit", "no end", "as documented", "by position", "as an S3 request"}
    return key.default_text if key.default_text in words else f"`{key.default_text}`"


def triggers() -> str:
    """One row a trigger."""
    rows = ((f"`{key.title}`", prose(key), defaulted(key)) for key in TRIGGERS.values())
    return table(("key", "meaning", "default"), rows)


def effects() -> str:
    """One row an effect, with the faults that take it."""
    rows = (
        (
            f"`{key.title}`",
            prose(key),
            ", ".join(f"`{fault.title}`" for fault in FAULTS if key.key in fault.takes),
            defaulted(key),
        )
        for key in EFFECTS.values()
    )
    return table(("key", "meaning", "taken by", "default"), rows)


def others() -> str:
    """The keys that are neither condition nor trigger nor effect."""
    rest = (key for name, key in KEYS.items() if name not in {*CONDITIONS, *TRIGGERS, *EFFECTS})
    return table(
        ("key", "meaning", "default"), ((f"`{key.title}`", prose(key), defaulted(key)) for key in rest)
    )


def faults() -> str:
    """One row a fault."""
    rows = ((f"`{each.title}`", prose(each), f"`{example(each)}`") for each in FAULTS)
    return table(("fault", "what the client sees", "example"), rows)


def vendor_rows() -> str:
    """One row a vendor."""
    rows = (
        (
            f"[`{each.id}`](vendors/{each.id}.md)",
            each.title,
            len(each.errors),
            sum(row.message_source == "wire" for row in each.errors),
            f"`{each.content_type}`",
            vendor_pages.code(header for header, _ in each.id_headers) or "none",
            vendor_pages.code(row.address for row in each.group("@throttle")),
        )
        for each in map(vendors.get, vendors.names())
    )
    return table(("id", "service", "rows", "seen", "Content-Type", "id headers", "throttling"), rows)


def variables() -> str:
    """One row a variable of the environment."""
    return table(("variable", "meaning"), ((f"`{name}`", meaning) for name, meaning in VARIABLES.items()))


def checks() -> str:
    """One row a check."""
    rows = (
        (f"`{name}`", each.demand, each.minimum, "; ".join(map(linked, each.documents)))
        for name, each in CHECKS.items()
    )
    return table(("check", "demands", "needs", "documents, and whom they bind (a vendor: its clients)"), rows)


def linked(document: Document) -> str:
    """A document as a link, and whom it binds."""
    name = document.name if document.address is None else f"[{document.name}]({document.address})"
    return f"{name} ({document.bound.removeprefix('the clients of ')})"


def left_out() -> str:
    """One row a reason why calls are left out of a report."""
    return table(("the report says that calls", "what to do"), LEFT_OUT.values())


def profile_rows() -> str:
    """One row a profile, with what it promises."""
    rows = (
        (
            f"`{each.name}`",
            each.title,
            "" if each.most is None else each.most,
            by_kind({kind: in_words(waits) for kind, waits in each.waits.items()}),
            by_kind({kind: " or ".join(map(str, numbers)) for kind, numbers in each.quota.items()}),
        )
        for each in map(get, profile_names())
    )
    return table(("profile", "whose promise", "attempts", "waits", "retries in an outage"), rows)


def by_kind(promises: dict[str, str]) -> str:
    """The promises after each kind of failure, in one cell."""
    return "; ".join(f"{kind}: {promise}" for kind, promise in promises.items()).removeprefix("any: ")


def in_words(waits: Any) -> str:
    """`1, 2, 3 s`, `15..21, 21..27 s`, or `up to 1 s, × 2 each time, at most 20 s`."""
    if not waits.longest:
        cap = "" if waits.cap is None else f", at most {waits.cap:g} s"
        return f"up to {waits.base:g} s, × {waits.factor:g} each time{cap}"
    bounds = [waits.bounds(retry) for retry in range(1, len(waits.longest) + 1)]
    return f"{', '.join(f'{high:g}' if low == high else f'{low:g}..{high:g}' for low, high in bounds)} s"


def report() -> str:
    """The verdict on a journal that the COS SDK left."""
    found = Journals([str(ROOT / "tests" / "audit" / "cos.jsonl.gz")], None, ()).judge()
    return f"```text\n{text(found, verbose=False)}```"


def measured(folder: str, results: str, name: str = "table") -> str:
    """The table of a folder's recorded results, made by its `table.py`."""
    make = runpy.run_path(str(ROOT / "tests" / folder / "table.py"))[name]
    return make(json.loads((ROOT / "tests" / folder / results).read_text(encoding="utf-8")))


def servers() -> str:
    """One row a fault, with what the clients of most servers see, and of the others."""
    return measured("servers", "results.json", "exceptions")


def afterwards() -> str:
    """One row a way to bring a body, with what becomes of the connection after an error."""
    return measured("servers", "kept.json", "exceptions_afterwards")


def every_server() -> str:
    """The file beside the tests with what was measured of each server."""
    tables = (measured("servers", "results.json"), measured("servers", "kept.json", "afterwards"))
    return (
        "# What each server does\n\nMade of `results.json` and `kept.json` by `python -m tests.test_docs`. "
        "An empty cell was not measured.\n\n## Faults\n\nIn brackets is `did`, if it differs from the rule.\n\n"
        f"{tables[0]}\n\n## After an error\n\n`ends`: the server closes every connection, without a header that "
        f"announces it.\n\n{tables[1]}\n"
    )


def clients() -> str:
    """The file beside the tests with what each client makes of each fault."""
    return (
        "# What each client does\n\nMade of `transport.json` by `python -m tests.test_docs`. Each cell has the error "
        "that the client's user gets, and the number of attempts. **short data** and **wrong data**: the client "
        "returns such data without an error. `Retry(3)` is urllib3's, also for 500 and 502 to 504. The retries of "
        "httpx's transport are for connecting only. The downloads are boto3's `download_fileobj` and the COS SDK's "
        "`download_file` with `EnableCRC=True`, which raises KeyError if a server, such as uvicorn, writes "
        f"`content-length` in small letters.\n\n{measured('sdks', 'transport.json')}\n"
    )


def frameworks() -> str:
    """One row a framework, as the tests install it, wrap it by hand and ask it."""
    rows = (
        (
            row.title,
            row.interface,
            row.place,
            f"`{row.by_hand}`",
            row.client,
            "yes" if row.reached else "no",
            row.note,
        )
        for row in FRAMEWORKS
    )
    head = (
        "app",
        "interface",
        "`install(app)` changes",
        "by hand",
        "client in process",
        "`run` and the marker on any server",
        "",
    )
    return table(head, rows)


def rooms() -> str:
    """One row a layer of the imports, leaves first, with the first sentence of each docstring."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [layers] = [
        each["layers"]
        for each in settings["tool"]["importlinter"]["contracts"]
        if each["type"] == "layers" and each["containers"] == ["faultinject"]
    ]
    rows = (
        (f"`{name}`", first_line(name))
        for layer in layers
        for name in layer.split(" | ")
        if not name.startswith("(")
    )
    return table(("room", "what it holds"), rows)


def first_line(name: str) -> str:
    """The first sentence of a module's or a package's docstring."""
    place = ROOT / "faultinject" / name
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return docstring.splitlines()[0]


TABLES = {
    "faults": faults,
    "vendors": vendor_rows,
    "conditions": conditions,
    "triggers": triggers,
    "effects": effects,
    "others": others,
    "variables": variables,
    "frameworks": frameworks,
    "servers": servers,
    "afterwards": afterwards,
    "report": report,
    "checks": checks,
    "left-out": left_out,
    "profiles": profile_rows,
    "commands": command_lines.commands,
    "exit-codes": command_lines.exit_codes,
    "rooms": rooms,
    "log": log_lines.lines,
    "calls": control_api_page.calls,
}
MADE = {
    "docs/reference/python.md": python_page.page,
    "tests/servers/RESULTS.md": every_server,
    "tests/sdks/RESULTS.md": clients,
    **{
        f"docs/reference/vendors/{name}.md": partial(vendor_pages.page, name) for name in vendor_pages.names()
    },
}
"""Pages that are made as a whole."""


@each_row("name", TABLES)
def test_table_is_what_the_code_says(name: str) -> None:
    """A new key, fault or vendor, or a changed word of a docstring, is on its page."""
    assert table_of(name)[1] == f"{TABLES[name]()}\n", "python -m tests.test_docs writes it anew"


@each_row("page", MADE)
def test_page_is_what_the_code_says(page: str) -> None:
    """A new row, operation or public name, or a changed docstring, is on its page."""
    assert (ROOT / page).read_text(encoding="utf-8") == MADE[page](), (
        "python -m tests.test_docs writes it anew"
    )


def test_no_page_is_left_of_a_vendor_that_has_gone() -> None:
    """The folder of vendors holds made pages alone."""
    assert [each for each in PAGES if each.startswith("docs/reference/vendors/") and each not in MADE] == []


def test_every_key_is_in_one_table() -> None:
    """The four tables hold the whole vocabulary, each word once."""
    words = [
        row.split("`")[1].partition(".")[0]
        for name in ("conditions", "triggers", "effects", "others")
        for row in TABLES[name]().splitlines()[2:]
    ]
    assert sorted(words) == sorted(KEYS)


def test_every_field_of_the_journal_is_explained() -> None:
    """The table of fields holds each field of a line, once."""
    cells = [
        line.split("|")[1]
        for line in PAGES["docs/reference/journal.md"].splitlines()
        if line.startswith("| `")
    ]
    fields = json.loads(command("schema", "journal").stdout)["$defs"]["Outcome"]["properties"]
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(fields)


def test_every_field_of_the_json_report_is_explained() -> None:
    """The two tables hold each field of the object and of a finding, in their order."""
    page = PAGES["docs/reference/report.md"]
    found = Journals([str(ROOT / "tests" / "audit" / "cos.jsonl.gz")], None, ()).judge()
    fields = [*found.to_dict(), *found.findings[0].to_dict(), "client"]
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == fields


def test_every_check_has_its_section() -> None:
    """A section says what a check looks at, its FAIL, whom it spares, and how to see it."""
    parts = re.split(r"^## `([a-z0-9 -]+)`\n", PAGES["docs/reference/checks.md"], flags=re.MULTILINE)
    assert parts[1::2] == [*CHECKS], "docs/reference/checks.md has a section for each check, in their order"
    for name, section in zip(parts[1::2], parts[2::2], strict=True):
        starts = re.findall(r"^- (Looks at|FAIL:|Does not apply|See it:) ", section, re.MULTILINE)
        assert starts == ["Looks at", "FAIL:", "Does not apply", "See it:"], name
        first = re.search(r"^- See it: `([^`]+)`", section, re.MULTILINE)
        assert first is None or first[1] == "faultinject conformance" or Scenario.parse(first[1]).rules


def test_every_reason_to_leave_a_call_out_is_explained() -> None:
    """The table of the explanation has the reasons of the JSON report, each once."""
    page = PAGES["docs/explanation/verdict.md"].partition("## When it cannot know")[2]
    assert sorted(re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE)) == sorted(LEFT_OUT)


def test_every_outcome_that_this_version_has_is_explained() -> None:
    """The journal's page names each `did` that the code writes, injected or not.

    So a new fault's word stands in the table.
    """
    journal = PAGES["docs/reference/journal.md"]
    [row] = [each for each in journal.splitlines() if each.startswith("| `did` |")]
    done, _, rest = row.partition(": injected")
    told = set(re.findall(r"`(\w+)`", done)) - {"did"}
    passed_on = set(re.findall(r"`(\w+)`", rest.partition(": not")[0]))
    assert [
        each for each in (*told, *passed_on) if Outcome.of(line(did=each)).injected != (each in told)
    ] == []
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "faultinject").rglob("*.py"))
    assert [word for word in (*told, *passed_on) if f'"{word}"' not in source] == []
    of_filters = {*re.findall(r'^    did = "(\w+)"', source, re.MULTILINE)}
    assert of_filters <= told, "the row `did` of docs/reference/journal.md has each word of a filter"
    assert {*told, *passed_on} == {*get_args(literals.Did)}, (
        "`Did` in faultinject/literals.py has the same words"
    )


def test_each_server_that_run_reaches_is_named() -> None:
    """The help of `run` and the guide name every server that it reaches; eventlet is refused."""
    servers = {module.partition(".")[0] for module in SERVERS} - {"eventlet"}
    for page in ("docs/reference/command-line.md", "docs/how-to/unchanged-apps.md"):
        named = set(re.findall(r"\w+", PAGES[page].partition("any other")[2].partition(".")[0]))
        assert servers - named == set(), f"{page} names the servers of adapters/import_hooks.py"


def named_files() -> list[tuple[str, tuple[str, ...]]]:
    """The files that the pages name, with the names in them: `engine/plan.py` (`Plan.run`)."""
    pages = "".join(each.read_text(encoding="utf-8") for each in OF_THE_HOUSE)
    prose = re.sub(r"^ *```.*?^ *```$", "", pages, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`([\w./-]+\.(?:py|csv|toml|txt|md))`(?:\s+\(((?:`[\w.]+`(?:,\s+)?)+)\))?", prose)
    return sorted({(path, tuple(re.findall(r"`([\w.]+)`", names))) for path, names in found})


def test_files_and_functions_that_the_pages_name_exist() -> None:
    """A file or function that was moved or renamed is moved on the pages too."""
    folders = ROOT, ROOT / "faultinject", *(ROOT / "faultinject" / "vendors").iterdir()
    named = named_files()
    assert sum(bool(names) for _, names in named) >= 10
    for path, names in named:
        place = next((folder / path for folder in folders if (folder / path).is_file()), None)
        assert place is not None, f"{path} is not there"
        assert place.suffix != ".py" or set(names) <= defined(place), path


@cache
def defined(path: Path) -> set[str]:
    """The functions, classes, methods and constants of a module, such as `Plan.run`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        found |= {each.id for each in targets if isinstance(each, ast.Name)}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            methods = getattr(node, "body", []) if isinstance(node, ast.ClassDef) else []
            found |= {node.name, *(f"{node.name}.{each.name}" for each in methods if hasattr(each, "name"))}
    return found


def test_every_promise_of_safety_has_its_test() -> None:
    """Each row of the table names one at least, and nothing but tests."""
    text = SAFETY.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!promise).* \| (.*) \|$", text, re.MULTILINE)
    named = re.compile(r"(`tests/[\w/]+\.py` \((`test_\w+`(, )?)+\)(, )?)*")
    assert [cell for cell in rows if not named.fullmatch(cell)] == []
    assert len(rows) >= 20


def line_of(block: Block) -> int:
    """The index of the line of a page where a block begins."""
    return int(block.place.rpartition(":")[2]) - 1


def test_every_file_is_named_above_its_block() -> None:
    """No page shows to its reader what stands behind the language of a block."""
    unnamed = [
        block.place
        for block in BLOCKS
        for name in re.findall(r"file=(\S+)", block.info or "")
        if PAGES[block.page].splitlines()[: line_of(block)][-2:] != [f"**`{name}`**", ""]
    ]
    assert not unnamed


def test_behind_a_server_a_page_says_where_to_go_on() -> None:
    """A command that does not return keeps its terminal until Ctrl-C."""
    commands = [each for each in BLOCKS if each.language == "sh" and "file=" not in (each.info or "")]
    lost = []
    for before, after in pairwise(commands):
        if before.page == after.page:
            between = "\n".join(PAGES[after.page].splitlines()[line_of(before) : line_of(after)])
            if "stays" in (before.info or "") and "second terminal" not in between:
                lost.append(f"{before.place}: where is the next command typed?")
            if "anew" in (after.info or "") and "Ctrl-C" not in between:
                lost.append(f"{after.place}: how does the server before it end?")
    assert not lost


def test_every_rule_of_the_cheat_sheet_is_one() -> None:
    """Each is read without a mistake."""
    table = PAGES["docs/reference/cheat-sheet.md"].partition("| you want |")[2].partition("\n\n")[0]
    rules = [each for each in re.findall(r"`([^`]+)`", table) if not each.startswith("@pytest")]
    assert [len(Scenario.parse(each).rules) for each in rules] == [1] * len(rules)


def test_readme_and_index_send_people_to_the_same_pages() -> None:
    """One table says where to start."""
    tables = [
        re.findall(r"^\|.*\|$", PAGES[page].partition("## Where to start")[2], re.MULTILINE)
        for page in ("README.md", "docs/index.md")
    ]
    assert [row.replace("](docs/", "](") for row in tables[0]] == tables[1]


@each_row("page", PAGES)
def test_page_is_whole_where_nobody_builds_a_site(page: str) -> None:
    """A repository shows directives as they are written, and follows links to files."""
    assert "```{" not in PAGES[page]
    prose = re.sub(r"^```.*?^```$|`[^`\n]+`", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose)
    assert [each for each in links if not (ROOT / page).parent.joinpath(each).exists()] == []


def test_no_page_grows_past_its_budget() -> None:
    """Each page that people write has a budget of words, in which made tables do not count."""
    budgets = tomllib.loads((ROOT / "tests" / "budgets.toml").read_text(encoding="utf-8"))
    written = {page: text for page, text in PAGES.items() if page not in MADE and text.count("\n") > 1}
    assert [*budgets] == [*written]
    tables = re.compile(r"^<!-- ([\w-]+) -->\n.*?^<!-- /\1 -->$", re.MULTILINE | re.DOTALL)
    words = {page: len(tables.sub("", text).split()) for page, text in written.items()}
    too_long = {page: count for page, count in words.items() if count > budgets[page]}
    assert too_long == {}, "these pages have more words of their own than tests/budgets.toml allows"


if __name__ == "__main__":
    for name, make in TABLES.items():
        write_table(name, make())
    for page, make in MADE.items():
        (ROOT / page).parent.mkdir(exist_ok=True)
        (ROOT / page).write_text(make(), encoding="utf-8")
