"""`faultinject demo`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT


@click.command(context_settings=CONTEXT)
@click.option("--seed", help="Replays a run; by default one is chosen and shown.")
@click.option(
    "--calls", default=240, show_default=True, type=click.IntRange(1, 999), help="The number of calls."
)
@click.option(
    "--verbose", "-v", is_flag=True, help="Show every attempt, and the whole report with its calls."
)
def demo(**given: Any) -> int:
    """Watch a real SDK handle documented errors: the COS SDK against the embedded object store.

    Everything is on loopback and in memory. The demo ends within 20 seconds on an idle machine. FAULTINJECT_ENABLED=0
    stops it; it ignores all other variables, and also runs in a production environment, because only its own store
    gets faults.
    """
    from faultinject.cli.demo import demo as body

    return body(**given)
