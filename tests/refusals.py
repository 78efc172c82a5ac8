"""The error with which a call is refused."""

import pytest

from faultinject.exceptions import ConfigurationError


def refusal(make, *arguments, sort=ConfigurationError, **named):
    """The error of a call that has to be refused."""
    with pytest.raises(sort) as caught:
        make(*arguments, **named)
    return caught.value
