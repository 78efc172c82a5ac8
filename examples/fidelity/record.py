"""The results of our own store, made anew, and the table of all results in README.md: `python examples/fidelity/record.py`."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faultinject
from faultinject.fidelity import results
from faultinject.fidelity.exchange import endpoint_of
from faultinject.server.connections import Server
from faultinject.store import ObjectStore

HERE = Path(__file__).parent
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"
VENDORS = tuple(results.FAMILIES)


@contextmanager
def store(vendor: str) -> Iterator[str]:
    """Our own store of a vendor on loopback: its URL."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = Server(ObjectStore(vendor), sock=sock)
        server.start()
        path = "/devstoreaccount1" if vendor == "azure-blob" else ""
        yield f"http://127.0.0.1:{sock.getsockname()[1]}{path}"
        server.shutdown()
        server.server_close()


def ask(url: str, vendor: str, service: str) -> dict[str, Any]:
    """The results of one service, with the credentials of emulators."""
    found = results.run(
        endpoint_of(url), vendor, environ={}, name="faultinject-0123456789abcdef", timeout=20, deadline=120
    )
    day = datetime.now(UTC).date().isoformat()
    return results.document(found, service=service, day=day, version=faultinject.__version__)


def stable(document: dict[str, Any]) -> list[tuple[object, ...]]:
    """What is the same in every run: not the messages, which may name a request or a time."""
    return [
        (each["probe"], each["verdict"], each["status"], each["code"], str(each["differences"]))
        for each in document["findings"]
    ]


def recorded() -> dict[str, dict[str, Any]]:
    """Every result in this folder by the file's name, those of others first."""
    files = sorted(HERE.glob("*.json"), key=lambda each: (each.name.startswith("faultinject-"), each.name))
    return {each.name: json.loads(each.read_text(encoding="utf-8")) for each in files}


def table() -> str:
    """One row a service."""
    rows = [
        "| service | documents | as documented | status | code | envelope | not judged |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in recorded().items():
        judged = each["agree"] + each["differ"]
        aspects = [
            f"{each['aspects'][what]['agree']} of {each['aspects'][what]['of']}"
            for what in ("status", "code", "envelope")
        ]
        cells = (
            f"[{each['service']}](../fidelity/{name})",
            each["vendor"],
            f"{each['agree']} of {judged}",
            *aspects,
            str(each["not_judged"]),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "".join(f"{row}\n" for row in rows)


def main() -> None:
    """Ask our own store as every vendor, and write the table."""
    for vendor in VENDORS:
        with store(vendor) as url:
            document = ask(url, vendor, f"faultinject serve --vendor {vendor}")
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (HERE / f"faultinject-{vendor}.json").write_text(f"{text}\n", encoding="utf-8")
    page = HERE / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
