"""Wraps functions, so that `inject()` works as a decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, ExitStack, aclosing
from types import FunctionType
from typing import Any

from faultinject.exceptions import ConfigurationError

Block = Callable[[], AbstractContextManager[object]]

TESTS = "test"
"""The prefix of the names of test methods."""


def decorate(decorated: Any, block: Block) -> Any:
    """Enter a block around each call of a function, or of each test method of a class.

    A test with `@given` of Hypothesis has a block around each example.

    Args:
        decorated: a function of any kind, or a class.
        block: makes a new block.

    Raises:
        ConfigurationError: the object cannot be called, such as a property, or is a class without a test method, so
            that nothing would be injected.
    """
    if isinstance(decorated, staticmethod | classmethod):
        return type(decorated)(_wrap(decorated.__func__, block))
    if not callable(decorated):
        raise ConfigurationError(f"inject() decorates functions and classes: {decorated!r} is neither")
    if getattr(decorated, "is_hypothesis_test", False) and hasattr(decorated, "hypothesis"):
        decorated.hypothesis.inner_test = _wrap(decorated.hypothesis.inner_test, block)
        return decorated
    if not inspect.isclass(decorated):
        return _wrap(decorated, block)
    tests = {
        name: test
        for name in dir(decorated)
        if name.startswith(TESTS)
        and isinstance(
            test := inspect.getattr_static(decorated, name), FunctionType | staticmethod | classmethod
        )
    }
    for name, test in tests.items():
        setattr(decorated, name, decorate(test, block))
    if not tests:
        raise ConfigurationError(
            f"inject() decorates functions, and the methods of a class whose names begin with {TESTS!r}:"
            f" {decorated.__qualname__} has none"
        )
    return decorated


def _wrap(function: Callable[..., Any], block: Block) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*given: Any, **keys: Any) -> Any:
        __tracebackhide__ = True
        with ExitStack() as stack:
            stack.enter_context(block())
            result = function(*given, **keys)
            # A call that returns a coroutine, such as that of a wrapped `async def`, has not run its code yet.
            return _await_in_block(stack.pop_all(), result) if inspect.iscoroutine(result) else result

    @functools.wraps(function)
    async def await_call(*given: Any, **keys: Any) -> Any:
        __tracebackhide__ = True
        with block():
            return await function(*given, **keys)

    @functools.wraps(function)
    def iterate(*given: Any, **keys: Any) -> Generator[Any, Any, Any]:
        with block():
            return (yield from function(*given, **keys))

    @functools.wraps(function)
    async def iterate_awaiting(*given: Any, **keys: Any) -> AsyncIterator[Any]:
        with block():
            async with aclosing(function(*given, **keys)) as items:
                async for item in items:
                    yield item

    if inspect.iscoroutinefunction(function):
        return await_call
    if inspect.isasyncgenfunction(function):
        return iterate_awaiting
    return iterate if inspect.isgeneratorfunction(function) else call


async def _await_in_block(block: AbstractContextManager[object], begun: Coroutine[Any, Any, Any]) -> Any:
    """Await the coroutine of a call inside the call's block."""
    __tracebackhide__ = True
    with block:
        return await begun
