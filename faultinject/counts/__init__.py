"""The counts: in memory, in a directory that processes share, or on a Redis server.

An injector asks a store (`store`: `begin`, `version`, `publish`, `counts`) for the scenario in force and for its
counts; a plan asks the counts (`match`, `take`, `give_back`). One process alone has counts and no store (`memory`).
All others are `shared_counts`, which leave a store alone for a while after it has failed.

    a directory     `directory` is the store; `file_counts` are its counts, over the records of a `table`; `filelock`
                    excludes threads and processes
    a Redis server  `redis_store`, `redis_counts`, over a `redis_link`, by `redis_scripts`; `background_sender` does
                    the work that no request waits for
    outcomes        `file_journal` and `redis_journal`, for readers that want those of all processes
    processes       `processes` tells the processes of one server, `private` the places where they find each other,
                    `per_process` the things that each child has for itself
"""
