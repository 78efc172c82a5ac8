"""The house in numbers: `python tests/house.py`.

Files that a request goes through, circles of imports, sizes of files, statements.
"""

from __future__ import annotations

import ast
import asyncio
import io
import statistics
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import faultinject
from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

HOUSE = Path(faultinject.__file__).parent
RULE = "cos:SlowDown,path=/photos/,method=PUT,times=1000000,probability=0.999999"
DELAYED = f"{RULE},delay=1ms"
BODY = b"x" * 100
WARM = 50
CORE = (
    "",
    "exceptions",
    "http",
    "vendors",
    "rules",
    "engine",
    "counts",
    "journal",
    "injector",
    "adapters",
    "hooks",
)
"""The rooms of the core, but for what `testing` has of it."""


def wsgi(path, rule=RULE):
    """Return a function that sends one PUT to an app under the WSGI middleware."""

    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"stored"]

    wrapped = WSGIFaultMiddleware(app, injector=Injector(rule, seed=1, environ={}))

    def ask():
        environ = {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(BODY)),
            "HTTP_HOST": "photos-1250000000.cos.ap-beijing.myqcloud.com",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(BODY),
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        answer = wrapped(environ, lambda status, headers, exc_info=None: None)
        for _ in answer:
            pass
        getattr(answer, "close", lambda: None)()

    return ask


def asgi(path, rule=RULE):
    """Return a function that sends one PUT to an app under the ASGI middleware."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"stored"})

    wrapped = ASGIFaultMiddleware(app, injector=Injector(rule, seed=1, environ={}))
    loop = asyncio.new_event_loop()

    def ask():
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"photos-1250000000.cos.ap-beijing.myqcloud.com"),
                (b"content-length", str(len(BODY)).encode()),
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
        }

        async def receive():
            return {"type": "http.request", "body": BODY, "more_body": False}

        async def send(message):
            pass

        loop.run_until_complete(wrapped(scope, receive, send))

    return ask


def rooms(ask):
    """List the files that one request goes through, call by call, once all is imported."""
    for _ in range(WARM):
        ask()
    visited = []

    def seen(frame, event, _):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(HOUSE):
                visited.append(str(path.relative_to(HOUSE)))

    sys.setprofile(seen)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return visited


def modules():
    """Every module of the package: its name and its text."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path.read_text("utf-8")
    return found


def imports(trees, *, lazy, types=True):
    """Map each module to its imports; `lazy` and `types` add those in functions and for types."""

    def reads(node):
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
                continue
            if isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING" and not types:
                continue
            if isinstance(inner, ast.Import):
                yield from (alias.name for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                names = (f"{inner.module}.{alias.name}" for alias in inner.names)
                yield from (name if name in trees else inner.module for name in names)
            elif isinstance(inner, ast.stmt | ast.ExceptHandler):
                yield from reads(inner)

    return {name: {*reads(tree)} & {*trees} - {name} for name, tree in trees.items()}


def statements(tree):
    """Count the statements of a module, without docstrings."""
    return sum(
        isinstance(node, ast.stmt)
        and not (isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str))
        for node in ast.walk(tree)
    )


def circles(arrows):
    """Groups of modules that import each other in a circle (Tarjan's connected components)."""
    found, numbers, low, stack = [], {}, {}, []

    def visit(name):
        numbers[name] = low[name] = len(numbers)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in numbers:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], numbers[other])
        if low[name] == numbers[name]:
            group = []
            while not group or group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for name in arrows:
        if name not in numbers:
            visit(name)
    return found


def main():
    """Print the table."""
    sources = modules()
    trees = {name: ast.parse(text) for name, text in sources.items()}
    sizes = [len(text.splitlines()) for text in sources.values()]
    counted = Counter()
    for name, tree in trees.items():
        counted[(*name.split(".")[1:], "")[0]] += statements(tree)
    print(f"{'modules':34}{len(sizes):8,}")
    print(f"{'lines':34}{sum(sizes):8,}")
    print(f"{'statements':34}{sum(counted.values()):8,}")
    print(f"{'statements of the core':34}{sum(counted[room] for room in CORE):8,}")
    if "-v" in sys.argv:
        for room, count in counted.most_common():
            print(f"    {count:6,} {room}")
    print(f"{'lines of the median module':34}{statistics.median(sizes):8g}")
    print(f"{'modules below 50 lines':34}{sum(size < 50 for size in sizes):8}")
    print(f"{'modules above 500 lines':34}{sum(size > 500 for size in sizes):8}")
    found = circles(imports(trees, lazy=False))
    print(f"{'circles of imports, with types':34}{len(found):8}")
    for group in found:
        print(f"    {len(group)}: {' '.join(each.removeprefix('faultinject.') for each in group)}")
    for what, lazy, types in (
        ("circles at run time", False, False),
        ("at run time, with late imports", True, False),
        ("with late imports and types", True, True),
    ):
        print(f"{what:34}{len(circles(imports(trees, lazy=lazy, types=types))):8}")
    for kind, interface in (("WSGI", wsgi), ("ASGI", asgi)):
        for what, path, rule in (
            ("injected", "/photos/cat.jpg", RULE),
            ("delayed", "/photos/cat.jpg", DELAYED),
            ("unmatched", "/films/cat.mp4", RULE),
        ):
            visited = rooms(interface(path, rule))
            changes = sum(one != other for one, other in pairwise(visited))
            print(f"{kind + ', ' + what + ': calls':34}{len(visited):8}")
            print(f"{kind + ', ' + what + ': files':34}{len(set(visited)):8}")
            print(f"{kind + ', ' + what + ': changes of file':34}{changes:8}")
            if "-v" in sys.argv:
                for name, count in Counter(visited).most_common():
                    print(f"    {count:3} {name}")


if __name__ == "__main__":
    main()
