"""The table of the README: what clients of real servers see of each fault."""

from __future__ import annotations

COLUMNS = {
    "`reset`": "reset",
    "`close`": "close",
    "`hang`": "hang",
    "`truncate`": "truncate",
    "`drip`": "drip",
    "`corrupt`": "corrupt",
    "`latency`": "latency",
    "`exact=yes`": "exact=yes",
    "late in a 200": "status=200, late",
    "`Expect:`": "error, Expect",
    "`drain=no`": "error, drain=no",
}
ENDS = {"reset": "RST", "closed": "FIN"}


def table(results: dict) -> str:
    """A table in Markdown: one row a server, one column a fault.

    Args:
        results: what `results.json` holds: from the server's name to the fault's to what was seen and recorded.
    """
    # A plain server stands before the same one over TLS and on a unix socket.
    lines = [("server", *COLUMNS), ("---",) * (1 + len(COLUMNS))]
    for name in sorted(results, key=str.casefold):
        seen = results[name]
        lines.append((name, *(cell(fault, seen) if fault in seen else "" for fault in COLUMNS.values())))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(fault: str, seen: dict) -> str:
    """What the client saw; what the outcome said stands behind it where that is not what one would think."""
    saw, did = seen[fault]["saw"], seen[fault]["did"]
    if fault in ("reset", "close", "hang"):
        others = seen.get("hang, five and others", {}).get("saw", "others answered")
        waits = ", others wait" if fault == "hang" and others != "others answered" else ""
        if saw == "answered":
            return f"502{waits}"
        return f"{saw}{'' if ENDS.get(did) == saw else f' (`{did}`)'}{waits}"
    if fault == "truncate":
        return "cut" if saw == "FIN" else saw
    if fault == "drip":
        return "slow" if saw == "answered, others answered" else f"slow, {saw.partition(', ')[2]}"
    if fault == "corrupt":
        return "wrong bytes" if saw == "answered" else saw
    if fault == "latency":
        return "late" if saw == "answered" else saw
    if fault == "status=200, late":
        return {"answered": "late", "FIN": "late, closes"}.get(saw, saw)
    if fault == "exact=yes":
        return "exact" if saw == "503 Slow Down" else "server's words"
    if fault == "error, Expect":
        return saw.removeprefix("503 ")
    return saw.removeprefix("answered ").removesuffix(" the whole upload") + " the end"
