"""The counts: in memory, in a directory that processes share, or on a Redis server.

An injector asks a store (`store`: `begin`, `version`, `publish`, `counts`) for the scenario in force and for its
counts; a plan asks the counts (`match`, `take`, `give_back`). A single process has counts and no store (`memory`).
All others are `shared_counts`, which leave a store alone for a while after it has failed.

    a directory     `directory` is the store; `file_counts` are its counts, over the records of a `table`; `filelock`
                    excludes threads and processes
    a Redis server  `redis_store` and `redis_counts` run `redis_scripts` over a `redis_link`; `background_sender` does
                    work without letting a request wait
    outcomes        `file_journal` and `redis_journal` have the outcomes of all processes
    processes       `processes` finds the processes of one server, `private` the directories that they share;
                    `per_process` gives each child state of its own
"""
