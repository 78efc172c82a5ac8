"""The two classes that put faults around an app."""

import copy
import inspect

import pytest

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware


class App:
    """An app of either interface, with an attribute of its own."""

    title = "photos"

    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [b"own"]

    def __repr__(self):
        return "<App photos>"


CLASSES = pytest.mark.parametrize("around", [WSGIFaultMiddleware, ASGIFaultMiddleware])


@CLASSES
def test_they_are_classes_and_show_app_rules_and_switch(around):
    """Whoever prints a middleware sees its app, its rules, and whether faults are on."""
    app = App()
    middleware = around(app, ["http:503,times=1"], seed=1)
    assert isinstance(around, type)
    assert isinstance(middleware, around)
    assert middleware.app is app
    name = around.__name__
    assert repr(middleware) == f"<{name} around <App photos>: {middleware.injector!r}>"
    assert "1 rule, seed 1, on" in repr(middleware)
    middleware.injector.disable()
    assert "1 rule, seed 1, off" in repr(middleware)


@CLASSES
def test_an_attribute_that_they_lack_is_the_apps(around):
    """Names of the language are none of them: an app's own `__wrapped__` is the app's."""
    app = App()
    app.__wrapped__ = app
    middleware = around(app, [])
    assert middleware.title == "photos"
    assert not hasattr(middleware, "__wrapped__")
    with pytest.raises(AttributeError, match="missing"):
        middleware.missing  # noqa: B018 - the look is the test
    assert copy.copy(middleware).app is middleware.app
    assert inspect.iscoroutinefunction(middleware.__call__) is (around is ASGIFaultMiddleware)
