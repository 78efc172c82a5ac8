"""An injector whose journal is shared, and the paths of its lines."""

from faultinject import Injector


def make(url, rules="http:503"):
    """An injector whose journal is that of all who count there."""
    injector = Injector(rules, store=url, environ={})
    injector.share_outcomes()
    return injector


def paths(found):
    return [each.path for each in found]
