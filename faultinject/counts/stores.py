"""Any store's counts by its URL, as processes find them that have the same rules."""

from __future__ import annotations

from faultinject.counts.memory import MemoryCounts
from faultinject.engine.counting import Take as Take
from faultinject.rules.redis_url import read_redis
from faultinject.rules.store import FILE, MEMORY, read_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.counts.store import Store
    from faultinject.engine.counting import Counts


def open_counts(url: str, scenario: str = "{}", seed: str = "1") -> Counts:
    """The counts of a scenario; all who open the same one count together.

    Args:
        url: `memory:`, whose counts are nobody else's, `file:DIRECTORY`, or `redis://…`.
        scenario: its rules, as JSON.
        seed: what it draws with.

    Raises:
        ConfigurationError: the store cannot be used, or others count there by another scenario.
        StoreUnavailable: it does not answer.
    """
    if url == MEMORY:
        return MemoryCounts()
    data = {"scenario": scenario, "seed": seed, "next_place": 1}
    if url.startswith(FILE):
        from faultinject.counts.directory_store import DirectoryStore

        path, replaces = read_directory(url)
        store: Store = DirectoryStore(path, replaces=replaces)
    else:
        from faultinject.counts.redis_store import RedisStore

        store = RedisStore(read_redis(url))
    store.begin(data, chosen=False)
    return store.counts()[2]
