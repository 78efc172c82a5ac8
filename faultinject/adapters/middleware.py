"""An app with an injector around it, whatever its interface."""

from __future__ import annotations

from typing import Any, Self

from faultinject.exceptions import FaultInjectError
from faultinject.injector.injector import Injector


class Middleware:
    """An app with an injector around it; it has the app's own attributes as well.

    Args:
        app: the app.
        injector: decides its requests.
        control: the control API below a path of the app, or None.
        error: a wrong configuration, which an ASGI server gets as its app's failed start, or None.
    """

    def __init__(
        self, app: Any, injector: Injector, control: Any = None, error: FaultInjectError | None = None
    ) -> None:
        self.app = app
        self.injector = injector
        self._control = control
        self._error = error

    @classmethod
    def around(cls, app: Any, injector: Injector, control: Any = None) -> Self:
        """Put an injector around an app without a line in the log; the arguments are the class's."""
        made = cls.__new__(cls)
        Middleware.__init__(made, app, injector, control)
        return made

    def use_injector(self, injector: Injector) -> None:
        """Let another injector decide from now on."""
        self.injector = injector
        if self._control is not None:
            self._control.use_injector(injector)

    def __getattr__(self, name: str) -> Any:
        # Special names describe the object itself: `__wrapped__` of the app is not that of the middleware.
        if name.startswith("__") or name == "app":
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return getattr(self.app, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} around {self.app!r}: {self.injector!r}>"
