"""Break the package one line at a time: a test fails each time (`python .ci/mutants.py -h`).

A mutant is one change of the kind that a rewrite makes: `<` for `<=`, `and` for `or`, a `not` or a statement dropped,
a number off by one, arguments swapped, an `except` narrowed. A seed draws them: as many of each room, and within a
room by statement. Each is written into a copy of the repository, where the tests of its own room judge it, then those
of rooms that use it.

What no test notices has to stand in `.ci/mutants.toml`, with the reason why no test can or need notice it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "adapters": ("servers", "injector", "testing", "hooks"),
    "audit": ("testing", "cli"),
    "control": ("cli", "hooks"),
    "counts": ("injector", "control", "cli"),
    "engine": ("adapters", "injector", "servers"),
    "journal": ("counts", "injector", "cli"),
    "rules": ("engine", "injector", "cli"),
    "store": ("testing", "cli"),
    "vendors": ("plugins", "journal", "rules", "store", "adapters"),
}
"""The rooms, each with those whose tests judge what its own have not noticed."""
LONGEST = 900
"""Seconds after which a run of a room's tests is taken to go on for ever: most take 20 s."""
OUTCOMES = ("caught", "caught elsewhere", "survived", "ran for ever")
OPERATORS = {
    b"<": b"<=",
    b">": b">=",
    b"==": b"!=",
    b"is": b"is not",
    b"in": b"not in",
    b"and": b"or",
    b"+": b"-",
}
OPERATORS |= {after: before for before, after in OPERATORS.items()}
OPPOSITES = {"min": b"max", "max": b"min", "any": b"all", "all": b"any"}
DROPPED = (ast.AugAssign, ast.Break, ast.Continue, ast.Delete)
Edit: TypeAlias = tuple[int, int, bytes]
"""An edit: its first byte, the byte behind its last, and the bytes that replace them."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file: its place, the lines before and after, and the changed file.

    The lines are without indentation.
    """

    path: str
    function: str
    line: int
    before: str
    after: str
    source: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        """An identity that survives changes of other lines; two changes with the same text are one."""
        return f"{self.path}:{self.function}", self.before, self.after

    @property
    def room(self) -> str:
        """The folder of the package that the file is in."""
        return self.path.split("/")[1]


class Source:
    """A file of the package, and the changes that can be made of it."""

    def __init__(self, path: Path) -> None:
        self.path = path.relative_to(ROOT).as_posix()
        self.data = path.read_bytes()
        self._starts = [0, *accumulate(map(len, self.data.splitlines(keepends=True)))]

    def changes(self) -> Iterator[tuple[str, int, list[Edit]]]:
        """Those of each statement that has any, with the function and the line that it begins in."""
        for function, statement in statements(ast.parse(self.data)):
            nodes = list(own_nodes(statement))
            if function.endswith("__init__"):
                nodes.remove(statement)  # without an attribute nothing works
            if edits := [edit for node in nodes for edit in self._edits(node)]:
                yield function, statement.lineno, edits

    def mutant(self, function: str, edit: Edit) -> Mutant | None:
        """The file with one change, if it is Python still."""
        start, end, text = edit
        source = self.data[:start] + text + self.data[end:]
        try:
            ast.parse(source)
        except SyntaxError:
            return None  # a parenthesis is gone with what stood behind it
        first = self.data.count(b"\n", 0, start)
        before, after = (
            "\n".join(
                line.strip() for line in data.decode().split("\n")[first : data.count(b"\n", 0, last) + 1]
            )
            for data, last in ((self.data, end), (source, start + len(text)))
        )
        return Mutant(self.path, function, first + 1, before, after, source)

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _edits(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Compare(left=left, comparators=others):
                yield from self._other_operators([left, *others])
            case ast.BinOp(left=left, right=right):
                yield from self._other_operators([left, right])
            case ast.BoolOp(values=values):
                yield from self._other_operators(values)
                yield from self._without_one(values)
            case ast.UnaryOp(op=ast.Not()):
                start, _ = self._span(node)
                yield start, start + len("not "), b""
            case ast.Constant(value=bool() | int() | float() as value):
                yield *self._span(node), str(not value if isinstance(value, bool) else value + 1).encode()
            case ast.IfExp(body=body, orelse=orelse):
                for branch in (body, orelse):
                    yield *self._span(node), self.data[slice(*self._span(branch))]
            case ast.List(elts=elements) | ast.Set(elts=elements):
                yield from self._without_one(elements)
            case ast.ExceptHandler(type=ast.Tuple(elts=elements)):
                yield from self._without_one(elements)
            case ast.ExceptHandler(type=ast.expr() as caught):
                yield *self._span(caught), b"()"
            case ast.Call(func=function, args=arguments, keywords=keywords):
                yield from self._without_one([*arguments[-1:], *keywords])
                if isinstance(function, ast.Name) and function.id in OPPOSITES:
                    yield *self._span(function), OPPOSITES[function.id]
                if len({each.id for each in arguments[:2] if isinstance(each, ast.Name)}) > 1:
                    (start, after), (before, end) = map(self._span, arguments[:2])
                    yield start, end, self.data[before:end] + self.data[after:before] + self.data[start:after]
            case ast.If(test=test, orelse=[]):
                yield *self._span(test), b"False"
            case ast.Expr(value=ast.Call(func=function)) if ast.unparse(function) != "assert_never":
                yield *self._span(node), b"pass"
            case ast.Expr(value=ast.Await()):
                yield *self._span(node), b"pass"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield *self._span(node), b"pass"
            case ast.stmt() if isinstance(node, DROPPED):
                yield *self._span(node), b"pass"

    def _other_operators(self, operands: Sequence[ast.expr]) -> Iterator[Edit]:
        for (_, start), (end, _) in pairwise(map(self._span, operands)):
            operator = self.data[start:end].strip(b" ()\n")
            if other := OPERATORS.get(operator):
                place = self.data.index(operator, start)
                yield place, place + len(operator), other

    def _without_one(self, nodes: Sequence[ast.AST]) -> Iterator[Edit]:
        spans = [self._span(node) for node in nodes]
        for (start, before), (after, end) in pairwise(spans):
            if start == spans[0][0]:
                yield start, after, b""
            yield before, end, b""


def statements(node: ast.AST, function: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Statements that run, each with the name of its function and of the classes around it."""
    for child in ast.iter_child_nodes(node):
        name = function
        if isinstance(node, ast.Module | ast.ClassDef) and isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            name = f"{function}.{child.name}".lstrip(".")
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.stmt) and not isinstance(child, ast.ClassDef | ast.Assert):
            yield name, child
        yield from statements(child, name)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and its expressions.

    Statements in it, types and decorators are left out, and f-strings, whose places are not known.
    """
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Callable":
        return  # the type that a name stands for
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(
                    child, ast.stmt | ast.JoinedStr | ast.pattern | ast.arg
                ):
                    yield from own_nodes(child)


def accepted() -> set[tuple[str, str, str]]:
    """The mutants that no test has to notice, by their keys."""
    groups = tomllib.loads((ROOT / ".ci" / "mutants.toml").read_text(encoding="utf-8"))["accepted"]
    return {(each["in"], each["from"], each["to"]) for group in groups for each in group["mutants"]}


def draw(seed: str, wanted: int, part: str) -> Iterator[Mutant]:
    """Draw as many of each room; only a change of its statement changes a place in the draw."""

    def rank(*words: str) -> bytes:
        return hashlib.sha256("\n".join((seed, *words)).encode()).digest()

    known = accepted()
    chosen = {room: [path for path in files(room) if part in path] for room in ROOMS}
    rooms = [room for room in ROOMS if chosen[room]]
    for number, room in enumerate(rooms):
        ranked = []
        for source in (Source(ROOT / path) for path in chosen[room]):
            lines = source.data.decode().split("\n")
            for function, line, edits in source.changes():
                place = rank(source.path, function, lines[line - 1].strip())
                ranked.append((place, line, source, function, edits))
        drawn: list[Mutant] = []
        for _, _, source, function, edits in sorted(ranked, key=lambda each: each[:2]):
            if len(drawn) == (wanted + number) // len(rooms):
                break
            mutants = filter(None, (source.mutant(function, edit) for edit in edits))
            if left := [mutant for mutant in mutants if mutant.key not in known]:
                drawn.append(min(left, key=lambda mutant: rank(*mutant.key)))
        yield from sorted(drawn, key=lambda mutant: (mutant.path, mutant.line))


def files(room: str) -> list[str]:
    """Those of a room, as they stand below the repository."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "faultinject" / room).rglob("*.py"))


class Copy:
    """A copy of the repository, to break and to test."""

    stamps = count(1_000_000_000)
    """Times of changes, no two the same: otherwise Python would use bytecode of another text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(".git", ".venv", ".nox", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, folder, ignore=ignored)

    def write(self, path: str, data: bytes) -> None:
        """Change a file."""
        (self.folder / path).write_bytes(data)
        os.utime(self.folder / path, (stamp := next(self.stamps), stamp))

    def judge(self, mutant: Mutant) -> tuple[str, str]:
        """The outcome, and the test that has made it so."""
        self.write(mutant.path, mutant.source)
        try:
            for outcome, rooms in (("caught", [mutant.room]), ("caught elsewhere", ROOMS[mutant.room])):
                # It gives no test another chance: what caught the mutant before is asked first about this one.
                code, name = self.run(rooms, "--ff")
                if code:
                    return outcome if code > 0 else "ran for ever", name
        finally:
            self.write(mutant.path, (ROOT / mutant.path).read_bytes())
        return "survived", ""

    def run(self, rooms: Iterable[str], *which: str) -> tuple[int, str]:
        """Run tests of rooms until one fails; give exit code and last test.

        The exit code is negative where the run has no end.
        """
        said = self.folder / "said.txt"
        command = [sys.executable, "-m", "pytest", "-v", "-x", "-n0", "-p", "no:randomly"]
        with (
            said.open("wb") as output,
            subprocess.Popen(
                [*command, *which, *(f"tests/{room}" for room in rooms)],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as process,
        ):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LONGEST)
            with contextlib.suppress(ProcessLookupError):  # also what its tests have started
                os.killpg(process.pid, signal.SIGKILL)
        lines = said.read_text(errors="replace").splitlines()
        names = [line for line in lines if line.startswith("tests/") and "::" in line]
        return process.returncode, names[-1].partition(" FAILED")[0] if names else "no test could run"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants that are drawn; 1 where one survives or runs for ever."""
    parser = argparse.ArgumentParser(description="Break lines of the package and see that a test fails.")
    parser.add_argument("--seed", default="1", help="what draws them (1)")
    parser.add_argument("--count", type=int, default=60, metavar="N", help="as many of them (60)")
    parser.add_argument("--only", default="", metavar="PART", help="of files with this in their path")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="at a time (all processors)"
    )
    options = parser.parse_args(arguments)
    mutants = list(draw(options.seed, options.count, options.only))
    rooms = sorted({mutant.room for mutant in mutants})
    counted = {room: dict.fromkeys(OUTCOMES, 0) for room in rooms}
    started = time.monotonic()
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()

    def judged(mutant: Mutant) -> None:
        copy = copies.get()
        outcome, name = copy.judge(mutant)
        copies.put(copy)
        counted[mutant.room][outcome] += 1
        where, before, after = (json.dumps(text, ensure_ascii=False) for text in mutant.key)
        print(f"{outcome}: {mutant.path}:{mutant.line} {name}", flush=True)
        print(f"    {{ in = {where}, from = {before}, to = {after} }},", flush=True)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        for number in range(options.jobs):
            copies.put(Copy(Path(folder, str(number))))
        list(pool.map(judged, mutants))
        # What has failed for a mutant fails for it alone: a test that fails without one, too, has caught nothing.
        judges = {*rooms}.union(*(ROOMS[room] for room in rooms))
        failed = [
            name
            for code, name in pool.map(
                lambda _: copies.get().run(judges, "--lf", "--lfnf=none"), range(options.jobs)
            )
            if code not in (0, 5)
        ]
    print(f"\n{'':10}{'drawn':>8}" + "".join(f"{outcome:>18}" for outcome in OUTCOMES))
    for room, numbers in counted.items():
        print(f"{room:10}{sum(numbers.values()):8}" + "".join(f"{number:18}" for number in numbers.values()))
    print(f"{len(mutants)} mutants of seed {options.seed} in {time.monotonic() - started:.0f} s")
    for name in failed:
        print(f"fails without a mutant: {name}")
    return int(
        bool(failed) or any(numbers["survived"] + numbers["ran for ever"] for numbers in counted.values())
    )


if __name__ == "__main__":
    sys.exit(main())
