"""Where counts live: in memory, in a directory that processes share, or on a Redis server.

An injector asks a store (`store`: `begin`, `version`, `publish`, `counts`) what is in force and for its counts; a plan asks the
counts (`match`, `take`, `give_back`). One process alone has counts and no store (`memory`). All others are `shared_counts`, which
leave a store alone for a while that has failed.

    a directory     `directory` is the store; `file_counts` are its counts, over the records of a `table`; `filelock`
                    excludes threads and processes
    a Redis server  `redis_store`, `redis_counts`, over a `redis_link`, by `redis_scripts`; `background_sender` is what no request
                    waits for
    outcomes        `file_journal` and `redis_journal`, for whoever wants those of all processes
    processes       `processes` says which are one server, `private` where they find each other, `per_process` what a child has
                    for itself
"""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    FileLock="filelock",
    MemoryCounts="memory",
    SharedCounts="shared_counts",
    Take="store",
    described="processes",
    gone="processes",
    open_store="store",
    restarter="processes",
    session_path="private",
    server_process="processes",
    server_start="private",
    waiting="patience",
)
