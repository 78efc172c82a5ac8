"""What an adapter meets where nothing is injected."""

from __future__ import annotations


class Off:
    """The plan of an injector that is off: no method has a rule."""

    environ: dict[str, None] = {}  # noqa: RUF012 - never changed
    scope: dict[str, None] = {}  # noqa: RUF012 - never changed
    environ_default = None
    scope_default = None
    ended = True


OFF = Off()
