"""Break the engine and the grammar line by line, and see that a test fails each time: `python .ci/mutants.py --help`.

mutmut says what to break: an operator, a constant, an argument. Its own runner starts pytest anew for each mutant, which
takes hours here. This one collects the tests once, and forks for each mutant: the child puts the broken code into the
functions that are already there, and runs the tests that execute that line, the quickest first, until one fails. What runs
while the package is imported, such as a class body, cannot be broken that way.

What no test notices has to stand in `.ci/mutants.toml`, with the reason why no test can or need notice it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import faulthandler
import gc
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import threading
import time
import tomllib
import types
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
BROKEN = ("faultinject/engine", "faultinject/rules")
TESTS = (
    "tests/rules",
    "tests/engine",
    "tests/journal",
    "tests/vendors/test_multi_delete.py",
    "tests/vendors/test_operations_rules.py",
    "tests/adapters/test_parity.py",
    "tests/adapters/test_failures.py",
    "tests/adapters/test_draining.py",
    "tests/adapters/test_aws_chunks.py",
    "tests/adapters/test_bodies_on_record.py",
    "tests/adapters/test_delete_objects.py",
    "tests/adapters/test_edited.py",
    "tests/adapters/test_hints.py",
    "tests/adapters/test_marks.py",
    "tests/adapters/test_middle.py",
    "tests/adapters/test_on_request.py",
    "tests/adapters/test_waiting.py",
    "tests/injector/test_injector.py",
    "tests/testing/test_inject.py",
    "tests/cli/test_cli_check.py",
    "tests/cli/test_cli_outputs.py",
)
ELSEWHERE = ("tests/engine/test_rates.py", "tests/engine/test_replay.py")
"""Modules that take their time for what is not broken here."""
ACCEPTED = ROOT / ".ci" / "mutants.toml"
SEED = "faultinject"
LONGEST = 1200
"""Seconds after which the tests without a mutant hang: they say where."""

# A test forks while another thread runs: had that one coverage's lock, the child would wait for it for ever
# (coveragepy/coveragepy#1892). So a fork waits for the lock; registered before the package's own, which may be traced.
tracing = threading.Lock()
os.register_at_fork(before=tracing.acquire, after_in_parent=tracing.release, after_in_child=tracing.release)


@dataclass(frozen=True)
class Mutant:
    """One change of one function.

    Attributes:
        path: the file, as it stands below the repository.
        function: its name, with those of the classes around it.
        start: the line that the function begins in, decorators included.
        line: the line that is changed.
        before: the lines that are changed, without indentation.
        after: what they are changed to.
        source: the changed function.
    """

    path: str
    function: str
    start: int
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same when other lines change; changes that read the same are one."""
        return f"{self.path}:{self.function}", self.before, self.after

    @property
    def rank(self) -> str:
        """The place in the order that samples are taken in: nothing changes it but a change of these lines."""
        return hashlib.sha256("\n".join((SEED, *self.key)).encode()).hexdigest()


class _Visitor(MutationVisitor):
    """Changes functions with decorators too, as nothing is copied that a decorator could register twice."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and node.decorators:
            return False
        return super()._skip_node_and_children(node)


def mutants_of(path: Path) -> Iterator[Mutant]:
    """All mutants of a file, in the order of its lines."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    module = wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    names = {node: name for name, node in _functions(wrapper.module)}
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if function not in names:
            continue
        source = module.code_for_node(function.with_changes(leading_lines=()))
        changed = module.code_for_node(
            function.with_changes(leading_lines=()).deep_replace(
                mutation.original_node, mutation.mutated_node
            )
        )
        if not _compiles(changed):
            continue
        lines = list(difflib.ndiff(source.splitlines(), changed.splitlines()))
        before, after = (
            "\n".join(each[2:].strip() for each in lines if each.startswith(sign)) for sign in ("- ", "+ ")
        )
        first = function.decorators[0] if function.decorators else function
        yield Mutant(
            path=path.relative_to(ROOT).as_posix(),
            function=names[function],
            start=positions[first].start.line,
            line=positions[mutation.original_node].start.line,
            before=before,
            after=after,
            source=changed,
        )


def _functions(node: cst.CSTNode, within: str = "") -> Iterator[tuple[str, cst.FunctionDef]]:
    assert isinstance(node, cst.Module | cst.ClassDef)
    for each in node.body if isinstance(node, cst.Module) else node.body.body:
        if isinstance(each, cst.FunctionDef):
            yield within + each.name.value, each
        elif isinstance(each, cst.ClassDef):
            yield from _functions(each, f"{within}{each.name.value}.")


def _compiles(source: str) -> bool:
    try:
        compile(source, "", "exec")
    except SyntaxError:
        return False
    return True


def put(mutant: Mutant, live: dict[tuple[str, str, int], list[types.FunctionType]]) -> None:
    """Give the functions of this process the mutant's code and defaults."""
    path = ROOT / mutant.path
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body: list[ast.stmt] = tree.body
    *classes, name = mutant.function.split(".")
    for each in classes:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == each)
    at, old = next(
        (at, node)
        for at, node in enumerate(body)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name == name
        and min([node.lineno, *(each.lineno for each in node.decorator_list)]) == mutant.start
    )
    new = ast.parse(mutant.source).body[0]
    assert isinstance(new, type(old))
    if "super()" in ast.unparse(old):
        # Else the mutant without it would have another number of cells, and could not take the place.
        new.body += ast.parse("if False: __class__").body
    ast.increment_lineno(new, mutant.start - 1)
    body[at] = new
    codes = dict(_codes(compile(tree, str(path), "exec", dont_inherit=True)))
    prefix = f"{mutant.function}.<locals>."
    for (qualname, _), code in codes.items():
        if qualname != mutant.function and not qualname.startswith(prefix):
            continue
        for function in live.get((str(path), qualname, code.co_firstlineno), ()):
            if function.__code__.co_freevars == code.co_freevars:
                function.__code__ = code
            if qualname == mutant.function and ast.dump(new.args) != ast.dump(old.args):
                scope = function.__globals__
                function.__defaults__ = tuple(_value(each, scope) for each in new.args.defaults) or None
                names = zip(new.args.kwonlyargs, new.args.kw_defaults, strict=True)
                function.__kwdefaults__ = {
                    each.arg: _value(default, scope) for each, default in names if default is not None
                }


def _value(node: ast.expr, scope: dict[str, object]) -> object:
    return eval(compile(ast.Expression(node), "", "eval"), scope)  # noqa: S307 - the package's own source


def _codes(code: types.CodeType) -> Iterator[tuple[tuple[str, int], types.CodeType]]:
    yield (code.co_qualname, code.co_firstlineno), code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


class Run:
    """A pytest plugin that runs mutants in place of the tests once."""

    def __init__(self, mutants: Sequence[Mutant], options: argparse.Namespace) -> None:
        self.mutants = mutants
        self.options = options
        self.survivors: list[tuple[Mutant, str]] = []
        self.counted: Counter[str] = Counter()
        self._told = -1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn which test executes which line, then break the lines one by one."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        self._items = {each.nodeid: each for each in session.items}
        for path in BROKEN:
            for each in sorted((ROOT / path).rglob("*.py")):
                importlib.import_module(
                    ".".join(each.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                )
        gc.unfreeze()
        self._live: dict[tuple[str, str, int], list[types.FunctionType]] = {}
        for each in gc.get_objects():
            if isinstance(each, types.FunctionType) and each.__code__.co_filename.startswith(
                str(ROOT / "faultinject")
            ):
                code = each.__code__
                self._live.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(
                    each
                )
        gc.collect()
        gc.freeze()
        self._learn()
        self._run_all()
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure is enough."""
        if self._told >= 0 and report.failed:
            os.write(self._told, json.dumps({"killer": report.nodeid}).encode())
            os._exit(0)

    def _fork(self) -> tuple[int, int]:
        """A child that says nothing but into a pipe: its id, 0 in the child itself, and the end to read from."""
        reads, writes = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child:
            os.close(writes)
            return child, reads
        os.close(reads)
        self._told = writes
        self._errors = os.dup(2)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(nowhere, each)
        return 0, writes

    def _run(self, names: Sequence[str]) -> None:
        items = [self._items[each] for each in names]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def _learn(self) -> None:
        """Note the lines that each test executes and how long it takes, in a child, so that this process stays as it is."""
        started = time.monotonic()
        child, pipe = self._fork()
        if not child:
            self._tell_coverage()
        with os.fdopen(pipe, "rb") as answer:
            said = json.loads(answer.read() or "{}")
        os.waitpid(child, 0)
        if "lines" not in said:
            raise pytest.UsageError(
                f"{said.get('killer', 'a test')} fails, or does not end, without a mutant"
            )
        self._seconds: dict[str, float] = said["seconds"]
        self._lines: dict[str, dict[str, list[str]]] = said["lines"]
        print(f"{len(self._items)} tests looked at in {time.monotonic() - started:.0f} s")

    def _tell_coverage(self) -> None:
        faulthandler.dump_traceback_later(LONGEST, exit=True, file=self._errors)
        seconds = {}
        measured = coverage.Coverage(
            data_file=None, config_file=False, include=[str(ROOT / each / "*") for each in BROKEN]
        )
        measured.start()
        assert measured._collector is not None  # noqa: SLF001 - nothing public reaches its lock
        measured._collector.data_lock = tracing  # noqa: SLF001
        items = list(self._items.values())
        for item, following in zip(items, [*items[1:], None], strict=True):
            measured.switch_context(item.nodeid)
            started = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            seconds[item.nodeid] = time.process_time() - started
        measured.stop()
        data = measured.get_data()
        lines = {
            Path(path).relative_to(ROOT).as_posix(): {
                str(line): [each for each in contexts if each]
                for line, contexts in data.contexts_by_lineno(path).items()
            }
            for path in data.measured_files()
        }
        with os.fdopen(self._told, "wb") as answer:
            answer.write(json.dumps({"seconds": seconds, "lines": lines}).encode())
        os._exit(0)

    def _tests(self, mutant: Mutant) -> list[str]:
        """Those that execute the line, else any of the function: the quickest first, as many as there is time for."""
        lines = self._lines.get(mutant.path, {})
        found = set(lines.get(str(mutant.line), ()))
        if not found:
            height = mutant.source.count("\n")
            for line in range(mutant.start + 1, mutant.start + height + 1):
                found.update(lines.get(str(line), ()))
        chosen: list[str] = []
        left = self.options.budget
        for each in sorted(found, key=lambda name: (self._seconds[name], name)):
            if (left := left - self._seconds[each]) < 0 and chosen:
                break
            chosen.append(each)
        return chosen

    def _run_all(self) -> None:
        running: dict[int, tuple[Mutant, int]] = {}
        killers: dict[tuple[str, str], list[str]] = {}
        started = time.monotonic()
        for number, mutant in enumerate(self.mutants, 1):
            tests = self._tests(mutant)
            if not tests:
                self._note(mutant, "no test executes it")
                continue
            while len(running) >= self.options.jobs:
                self._reap(running, killers)
            first = [each for each in killers.get((mutant.path, mutant.function), ())[-8:] if each in tests][
                ::-1
            ]
            child, pipe = self._fork()
            if not child:
                self._live_as(mutant, [*first, *(each for each in tests if each not in first)])
            running[child] = mutant, pipe
            if not number % 100:
                print(
                    f"{number} of {len(self.mutants)}, {time.monotonic() - started:.0f} s, {dict(self.counted)}",
                    flush=True,
                )
        while running:
            self._reap(running, killers)
        print(f"{len(self.mutants)} mutants in {time.monotonic() - started:.0f} s: {dict(self.counted)}")

    def _live_as(self, mutant: Mutant, tests: list[str]) -> None:
        """Run the tests as the mutant; never returns."""
        limit = int(5 + 4 * sum(self._seconds[each] for each in tests))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20 * limit)
        killer = None
        try:
            put(mutant, self._live)
            self._run(tests)
        except BaseException as error:
            killer = repr(error)
        os.write(self._told, json.dumps({"killer": killer}).encode())
        os._exit(0)

    def _reap(
        self, running: dict[int, tuple[Mutant, int]], killers: dict[tuple[str, str], list[str]]
    ) -> None:
        child, status = os.wait()
        mutant, pipe = running.pop(child)
        with os.fdopen(pipe, "rb") as answer:
            said = json.loads(answer.read() or "{}")
        killer = said.get("killer")
        if status or "killer" not in said:
            self._note(mutant, "too slow, or ended the process")
        elif killer is None:
            self._note(mutant, "survived")
        else:
            self._note(mutant, "killed")
            known = killers.setdefault((mutant.path, mutant.function), [])
            if killer in self._items:
                with contextlib.suppress(ValueError):
                    known.remove(killer)
                known.append(killer)

    def _note(self, mutant: Mutant, outcome: str) -> None:
        self.counted[outcome] += 1
        if outcome in ("survived", "no test executes it"):
            self.survivors.append((mutant, outcome))
            print(f"\n{mutant.path}:{mutant.line} ({mutant.function}): {outcome}", flush=True)
            print(f"- {mutant.before}\n+ {mutant.after}".replace("\n", "\n  "), flush=True)


def accepted() -> set[tuple[str, str, str]]:
    """The mutants that no test has to notice, by their keys; a key without texts is a whole function."""
    found: set[tuple[str, str, str]] = set()
    for group in tomllib.loads(ACCEPTED.read_text(encoding="utf-8"))["accepted"]:
        assert group["reason"], group
        found.update((each, "", "") for each in group.get("functions", ()))
        found.update((each["in"], each["from"], each["to"]) for each in group.get("mutants", ()))
    return found


def chosen(options: argparse.Namespace) -> tuple[list[Mutant], set[tuple[str, str, str]]]:
    """The mutants to run, and the keys of all."""
    parts = [each.partition(":")[::2] for each in options.only or [""]]
    every = [
        mutant
        for path in BROKEN
        for each in sorted((ROOT / path).rglob("*.py"))
        if any(part in each.relative_to(ROOT).as_posix() for part, _ in parts)
        for mutant in mutants_of(each)
        if any(part in mutant.path and function in mutant.function for part, function in parts)
    ]
    known = accepted()
    wanted = [each for each in every if each.key not in known and (each.key[0], "", "") not in known]
    if options.sample is not None:
        wanted = sorted(wanted, key=lambda each: each.rank)[: options.sample]
    return wanted, {each.key for each in every} | {(each.key[0], "", "") for each in every}


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the mutants that the arguments choose; 1 where one survives, or the list has one that is none."""
    parser = argparse.ArgumentParser(description="Break lines of the package and see that a test fails.")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PART",
        help="of files with this in their path, or after a colon in the name of a function",
    )
    parser.add_argument("--sample", type=int, metavar="N", help="as many of them, the same ones each time")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="at a time (all processors)"
    )
    parser.add_argument(
        "--budget", type=float, default=20, metavar="S", help="seconds of tests for each (20)"
    )
    parser.add_argument("--tests", action="append", metavar="PATH", help=f"run these ({' '.join(TESTS)})")
    parser.add_argument(
        "--survivors", type=Path, metavar="FILE", help="write them as lines for .ci/mutants.toml"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    os.chdir(ROOT)
    mutants, keys = chosen(options)
    gone = [] if options.only else [each for each in accepted() if each not in keys]
    print(f"{len(keys)} mutants, {len(mutants)} to run, {len(accepted())} accepted", flush=True)
    run = Run(mutants, options)
    status = pytest.main(
        [
            "-q",
            "-n0",
            "-s",
            "-m",
            "not live",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:faulthandler",
            "--hypothesis-profile=mutants",
            *(f"--ignore={each}" for each in ELSEWHERE),
            *(options.tests or TESTS),
        ],
        plugins=[run],
    )
    for each in gone:
        print(f"\n.ci/mutants.toml: there is no such mutant of {each[0]}\n- {each[1]}\n+ {each[2]}")
    if options.survivors:
        options.survivors.write_text("".join(_entry(each) for each, _ in run.survivors), encoding="utf-8")
    return int(status) or int(bool(run.survivors or gone))


def _entry(mutant: Mutant) -> str:
    where, before, after = (json.dumps(each, ensure_ascii=False) for each in mutant.key)
    return f"    {{ in = {where}, from = {before}, to = {after} }},\n"


if __name__ == "__main__":
    sys.exit(main())
