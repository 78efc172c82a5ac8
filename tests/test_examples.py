"""The examples' pages agree with their code, which the examples' own tests run."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from faultinject import Scenario
from tests.rows import each_row

EXAMPLES = Path(__file__).parent.parent / "examples"
FOLDERS = sorted(each.parent for each in EXAMPLES.glob("*/README.md") if each.parent.name != "museum")
PAGES = {folder.name: (folder / "README.md").read_text(encoding="utf-8") for folder in FOLDERS}
LINES = [
    (name, line)
    for name, page in PAGES.items()
    for body in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for line in body.splitlines()
]


def test_every_example_is_a_page_an_app_and_tests():
    """The twelve examples are there, each with the three things that make one."""
    assert sorted(PAGES) == [
        "any_language",
        "azure_retries",
        "broken_connection",
        "conformance",
        "crashes",
        "env_only",
        "explore_multipart",
        "fastapi_upload",
        "flask_upload",
        "moto_s3",
        "pytest_marker",
        "redis_workers",
    ]
    programs = {"app.py", "server.py", "upload.sh", "curl.sh", "record.py"}
    for folder in FOLDERS:
        files = {each.name for each in folder.iterdir()}
        assert (f"test_{folder.name}.py" in files, files & programs != set()) == (True, True)


@each_row(("name", "line"), LINES)
def test_command_of_a_page_names_things_that_exist(name: str, line: str):
    """Paths, modules, apps and rules in commands exist; the one typo is announced by its page."""
    for path in re.findall(r"examples/\w+|env_only/faults\.toml|any_language/\w+\.sh", line):
        assert (EXAMPLES.parent / path).exists() or (EXAMPLES / path).exists()
    for module in re.findall(r"(?:--app |python -m )(\w+\.\w+)", line):
        importlib.import_module(module)
    for module, app in re.findall(r"(?:uvicorn|gunicorn -w 4) (\w+\.\w+):(\w+)", line):
        assert callable(getattr(importlib.import_module(module), app))
    for rules in re.findall(r"FAULTINJECT_RULES=(\S+)", line):
        if "unavailabel" not in rules:
            assert Scenario.parse(rules).rules


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "```python" in page])
def test_code_on_a_page_is_the_code_of_the_example(name: str):
    """A test shown on the page is the test that runs, but for annotations and docstring."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGES[name], re.MULTILINE | re.DOTALL)
    shown = functions("\n".join(blocks))
    real = functions((EXAMPLES / name / f"test_{name}.py").read_text(encoding="utf-8"))
    assert shown
    assert {each: real.get(each) for each in shown} == {
        each: text.replace("b'12345678...'", "CAT") for each, text in shown.items()
    }


def functions(source: str) -> dict[str, str]:
    """Each function's text, without annotations and docstring."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for each in node.args.args:
                each.annotation = None
            if ast.get_docstring(node):
                del node.body[0]
            found[node.name] = ast.unparse(node)
    return found
