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
    assert (type(middleware), middleware.app) == (around, app)
    for state in "on", "off":
        assert repr(middleware) == f"<{around.__name__} around <App photos>: {middleware.injector!r}>"
        assert f"1 rule, seed 1, {state}" in repr(middleware)
        middleware.injector.disable()


@CLASSES
def test_an_attribute_that_they_lack_is_the_apps(around):
    """Names of the language are none of them: an app's own `__wrapped__` is the app's."""
    app = App()
    app.__wrapped__ = app
    middleware = around(app, [])
    assert (middleware.title, hasattr(middleware, "__wrapped__")) == ("photos", False)
    with pytest.raises(AttributeError, match="missing"):
        middleware.missing  # noqa: B018 - the look is the test
    assert copy.copy(middleware).app is middleware.app
    assert inspect.iscoroutinefunction(middleware.__call__) is (around is ASGIFaultMiddleware)
