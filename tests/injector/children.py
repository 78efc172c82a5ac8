"""Forked children of a test, as servers have workers."""

import json
import os
import select
import sys
import traceback

from tests.until import PATIENCE


def in_children(*works):
    """Run each function in a forked child, all at once, and return the results as JSON."""
    ready, go = os.pipe()
    begun = []
    for work in works:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            failed = 1
            try:
                os.close(go)
                os.read(ready, 1)
                os.write(writing, json.dumps(work()).encode())
                failed = 0
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(failed)
        os.close(writing)
        begun.append((pid, reading))
    os.close(go)
    found = []
    for pid, reading in begun:
        with os.fdopen(reading, "rb") as file:
            assert select.select([file], [], [], PATIENCE)[0], "the child does not answer"
            data = file.read()
        assert os.waitpid(pid, 0)[1] == 0, "see what it printed"
        found.append(json.loads(data))
    os.close(ready)
    return found


def in_child(work):
    """The same of one."""
    [found] = in_children(work)
    return found
