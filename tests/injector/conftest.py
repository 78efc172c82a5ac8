"""What tests of injectors share."""

import pytest

from faultinject.injector import living


@pytest.fixture(autouse=True)
def no_injector_of_an_earlier_test():
    """A fork lets every injector of the process share its counts: also one that something still holds."""
    others = list(living)
    living.clear()
    yield
    for each in others:
        living.add(each)
