"""What a store says to a server that comes with other rules, or with another seed, than those by which others count there."""

from __future__ import annotations

from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def difference(theirs: Mapping[str, Any], own: Mapping[str, Any], *, chosen: bool) -> str:
    """What is in force, as seen from who wants something else there.

    Args:
        theirs: what is in force, `scenario` and `seed` as text; empty where it is lost.
        own: the same of who comes.
        chosen: nobody gave the seed of who comes.

    >>> difference({"scenario": '{"seed": "1"}', "seed": "1"}, {"scenario": '{"seed": "2"}', "seed": "2"}, chosen=False)
    'the same rules with the seed 1, not 2'
    """
    if _without_seed(theirs.get("scenario", "{}")) != _without_seed(own["scenario"]):
        return "other rules"
    seed = "one that is chosen" if chosen else shown(own["seed"])
    return f"the same rules with the seed {shown(theirs['seed'])}, not {seed}"


def _without_seed(scenario: str) -> dict[str, Any]:
    from json import loads

    found: dict[str, Any] = loads(scenario)
    found.pop("seed", None)
    return found
