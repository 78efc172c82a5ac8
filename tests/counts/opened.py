"""The counts of any store, by its URL."""

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.store import open_store


def open_counts(url, scenario="{}", seed="1"):
    """All who open the same scenario count together, but those of `memory:`."""
    if url == "memory:":
        return MemoryCounts()
    return begun(url, scenario, seed).counts()[2]


def begun(url, scenario="{}", seed="1"):
    """A store, with rules in force."""
    store = open_store(url)
    store.begin({"scenario": scenario, "seed": seed, "next_place": 1}, chosen=False)
    return store
