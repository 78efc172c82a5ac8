"""Any store by its text, and the counts that processes find there which have the same rules."""

from __future__ import annotations

from faultinject.counts.memory import MemoryCounts
from faultinject.engine.counting import Take as Take
from faultinject.rules.redis_url import is_redis, read_redis
from faultinject.rules.store import FILE, MEMORY, read_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.counts.store import OpenStore
    from faultinject.engine.counting import Counts


def open_store(text: str) -> OpenStore:
    """A store that processes share: `file:DIRECTORY`, `redis://…`, or one of another package's scheme.

    Raises:
        ConfigurationError: it cannot be used.
        StoreUnavailable: its lock is held by others.
    """
    if text.startswith(FILE):
        from faultinject.counts.directory_store import DirectoryStore

        path, replaces = read_directory(text)
        return DirectoryStore(path, replaces=replaces)
    if is_redis(text):
        from faultinject.counts.redis_store import RedisStore

        return RedisStore(read_redis(text))
    from faultinject.counts.foreign_store import ForeignStore

    return ForeignStore(text)


def open_counts(url: str, scenario: str = "{}", seed: str = "1") -> Counts:
    """The counts of a scenario; all who open the same one count together.

    Args:
        url: `memory:`, whose counts are nobody else's, or a store that processes share.
        scenario: its rules, as JSON.
        seed: what it draws with.

    Raises:
        ConfigurationError: the store cannot be used, or others count there by another scenario.
        StoreUnavailable: it does not answer.
    """
    if url == MEMORY:
        return MemoryCounts()
    store = open_store(url)
    store.begin({"scenario": scenario, "seed": seed, "next_place": 1}, chosen=False)
    return store.counts()[2]
