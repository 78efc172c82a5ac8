"""`faultinject learn`: a scenario with the errors of an access log."""

from __future__ import annotations

from faultinject.cli.layout import printed_json, write_out
from faultinject.exceptions import ConfigurationError
from faultinject.learning import tallies, writing
from faultinject.rules.descriptions import counted


def learn(
    *,
    logs: tuple[str, ...],
    name: str | None,
    vendor: str | None,
    everything: bool,
    output: str | None,
    as_json: bool,
) -> int:
    """Write the scenario, and return 0."""
    tally = tallies.read_logs(logs, name, vendor)
    learned, left_out = writing.learn(tally, vendor or tally.vendor, everything=everything)
    if not learned and not as_json:
        more = "; --all takes those that were left out" if left_out else ""
        total = sum(sum(by_operation.values()) for by_operation in tally.requests.values())
        raise ConfigurationError(f"no error to learn from in {counted(total, 'request')}{more}")
    if as_json:
        text = f"{printed_json(writing.with_numbers(learned, left_out, tally, sources=logs))}\n"
    else:
        text = writing.as_toml(learned, left_out, tally, sources=logs)
    write_out(text, output)
    return 0
