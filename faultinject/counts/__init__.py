"""Where counts live: in memory, in a directory that processes share, or on a Redis server."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    FileLock="filelock",
    SharedCounts="shared_counts",
    Take="store",
    clean_up_dead_owners="private",
    described="processes",
    gone="processes",
    open_counts="store",
    restarter="processes",
    server_process="processes",
    waiting="patience",
)
