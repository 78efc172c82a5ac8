"""The documentation's tables of servers, made of `results.json` and `kept.json`."""

from __future__ import annotations

# Column to the outcome's word where the fault was done as asked.
COLUMNS = {
    "latency": "delayed",
    "hang": "closed",
    "reset": "reset",
    "close": "closed",
    "truncate": "truncated",
    "truncate, no length": "truncated",
    "reset, after_bytes": "reset",
    "error, after_bytes": "answered",
    "stall, after_bytes": "stalled",
    "reset, after, after_bytes": "reset",
    "drip": "dripped",
    "corrupt": "corrupted",
    "status=200, late": "answered",
    "error, Expect": "answered",
    "error, drain=no": "answered",
}
# The outcomes of connections: from column to rule and situation of `afterwards`.
AFTERWARDS = {
    "no body": ("error", "no_body"),
    "body read": ("error", "body"),
    "chunks read": ("error", "chunks"),
    "Expect": ("error", "expect"),
    "drain=no": ("error-undrained", "part"),
    "drain=no, chunks": ("error-undrained", "part_in_chunks"),
    "when=after, app has not read": ("error-after", "ignored"),
}
BUFFERS = ("daphne", "waitress")
"""Servers that read the whole body before they call the app."""
COLUMN = "body at 5 bytes a second"
SLOW_BODY, LATE = "answered within 10 s", "the server reads it first"
_NO_CONNECTION = {"answered": "502"}
# What is seen, in fewer words where the column says the rest.
SHORT = {
    "latency": {"answered": "late"},
    "hang": _NO_CONNECTION,
    "reset": _NO_CONNECTION,
    "close": _NO_CONNECTION,
    "truncate": {"FIN": "cut"},
    "truncate, no length": {"FIN": "cut", "answered": "cut, looks whole"},
    "reset, after_bytes": {"answered at the byte": "502 at the byte"},
    "error, after_bytes": {
        "answered at the byte": "at the byte",
        "answered after the whole upload": "after the whole upload",
    },
    "stall, after_bytes": {
        "whole, stalled at the byte": "at the byte",
        "whole, stalled after the whole upload": "after the whole upload",
    },
    "drip": {"answered, others answered": "slow", "answered, others waited": "slow, others wait"},
    "corrupt": {"answered": "wrong bytes"},
    "status=200, late": {"answered": "late", "FIN": "late, FIN"},
    "error, drain=no": {
        "answered before the whole upload": "before the end",
        "answered after the whole upload": "after the end",
    },
}


def table(results: dict[str, dict[str, dict[str, str]]]) -> str:
    """A row for each server, a column for each fault, with the outcome that clients saw.

    Args:
        results: server to fault to `{"saw": …, "did": …}`.

    Returns:
        Markdown, without a line end behind the last row.
    """
    return _table(COLUMNS, _cells(results))


def exceptions(results: dict[str, dict[str, dict[str, str]]]) -> str:
    """One row a fault: what clients of most servers see, and the servers with another result.

    Args:
        results: as `table` takes them.

    Returns:
        Markdown, without a line end behind the last row.
    """
    return _exceptions(COLUMNS, _cells(results))


def afterwards(results: dict[str, dict[str, str]]) -> str:
    """A row for each server, a column for each kind of body: the connection after an error.

    Args:
        results: server to column to a word.

    Returns:
        Markdown, without a line end behind the last row.
    """
    return _table({**AFTERWARDS, COLUMN: None}, _cells_afterwards(results))


def exceptions_afterwards(results: dict[str, dict[str, str]]) -> str:
    """One row for each way to bring a body, with what most servers do and what the others do.

    Args:
        results: as `afterwards` takes them.

    Returns:
        Markdown, without a line end behind the last row.
    """
    return _exceptions({**AFTERWARDS, COLUMN: None}, _cells_afterwards(results))


def _cells(results: dict[str, dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    return {name: {c: cell(found.get(c), c) for c in COLUMNS} for name, found in results.items()}


def _cells_afterwards(results: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {name: {**found, COLUMN: slow_body(name)} for name, found in results.items()}


def _exceptions(columns: dict[str, object], cells: dict[str, dict[str, str]]) -> str:
    rows = []
    for column in columns:
        servers: dict[str, list[str]] = {}
        for server in sorted(cells, key=str.lower):
            result = cells[server][column]
            if result:
                servers.setdefault(result, []).append(server.replace(", ", " "))
        usual = max(servers, key=lambda result: len(servers[result]))
        others = (f"**{result}**: {in_short(names)}" for result, names in servers.items() if result != usual)
        rows.append(f"| {column} | {usual} | {'; '.join(others) or 'none'} |")
    return "\n".join(("| case | most servers | the others |", "| --- | --- | --- |", *rows))


def in_short(servers: list[str]) -> str:
    """Name a server once, with the other ways to reach it: `granian ASGI (also TLS), werkzeug`."""
    words: dict[str, list[str]] = {}
    for server in servers:
        plain = next((each for each in words if server.startswith(f"{each} ")), None)
        if plain is None:
            words[server] = []
        else:
            words[plain].append(server.removeprefix(f"{plain} "))
    return ", ".join(f"{name} (also {', '.join(ways)})" if ways else name for name, ways in words.items())


def slow_body(server: str) -> str:
    """The outcome of a request with an endless body."""
    return LATE if server in BUFFERS else SLOW_BODY


def _table(columns: dict[str, object], cells: dict[str, dict[str, str]]) -> str:
    rows = [("server", *columns), ("---",) * (1 + len(columns))]
    rows += [
        (server, *(found[column] for column in columns))
        for server, found in sorted(cells.items(), key=lambda each: each[0].lower())
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(seen: dict[str, str] | None, fault: str) -> str:
    """The text of one cell.

    >>> cell({"saw": "FIN", "did": "closed"}, "reset")
    'FIN (`closed`)'
    """
    if seen is None:
        return ""
    saw = SHORT.get(fault, {}).get(seen["saw"], seen["saw"])
    return saw if seen["did"] == COLUMNS[fault] else f"{saw} (`{seen['did']}`)"
