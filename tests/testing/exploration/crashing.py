"""Programs with bugs that only a crash shows, and repaired: `crashing.py JOB right|wrong`."""

import re
import sys
from pathlib import Path

from plain_http import exchange

FILM = b"first part, second part, third part".split(b" ", 2)
NOTE = Path("done")


def ask(method, path, body=b"", expected=(200, 204), **headers):
    """The answer's body; None where there is nothing, or a precondition does not hold."""
    status, named, found = exchange(method, path, body, **headers)
    if status in (404, 412):
        return None
    if status not in expected:
        print(method, path, status, found.decode())
        sys.exit(3)
    return found, named.get("etag")


def bucket():
    """The bucket is there."""
    ask("PUT", "/films", expected=(200, 409))


def complete(upload, tags):
    """End an upload."""
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in tags)
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return ask("POST", f"/films/cat?uploadId={upload}", body)


def begun():
    """The ids of the uploads under way."""
    return re.findall(r"<UploadId>(\w+)</UploadId>", ask("GET", "/films?uploads")[0].decode())


def begin():
    """The id of a new upload."""
    return re.findall(r"<UploadId>(\w+)</UploadId>", ask("POST", "/films/cat?uploads")[0].decode())[0]


def send(upload, number, part):
    """Number and tag of a part that was sent."""
    return number, ask("PUT", f"/films/cat?partNumber={number}&uploadId={upload}", part)[1]


def noted(right):
    """An upload in parts; wrong: it notes its end before it asks for the object."""
    bucket()
    if NOTE.exists():
        return
    if right:
        for each in begun():
            ask("DELETE", f"/films/cat?uploadId={each}")
    upload = begin()
    tags = [send(upload, number, part) for number, part in enumerate(FILM, 1)]
    if not right:
        NOTE.touch()
    complete(upload, tags)
    NOTE.touch()


def resumed(right):
    """An upload that goes on where it was; wrong: it counts a part as sent before it is."""
    bucket()
    if ask("HEAD", "/films/cat"):
        return
    state = Path("upload")
    found = begun()
    upload = found[0] if found else begin()
    if right:
        listed = ask("GET", f"/films/cat?uploadId={upload}")[0].decode()
        sent = len(re.findall("<PartNumber>", listed))
    else:
        sent = int(state.read_text()) if state.exists() else 0
    for number, part in list(enumerate(FILM, 1))[sent:]:
        state.write_text(str(number))
        send(upload, number, part)
    listed = ask("GET", f"/films/cat?uploadId={upload}")[0].decode()
    complete(
        upload,
        re.findall(r"<Part>.*?<PartNumber>(\d+)</PartNumber>.*?<ETag>(.*?)</ETag>", listed, re.DOTALL),
    )


def moved(right):
    """A move; wrong: it deletes the source before the copy is confirmed."""
    found = ask("GET", "/films/from")
    if found is None:
        return
    if not right:
        ask("DELETE", "/films/from")
    ask("PUT", "/films/to", found[0])
    if right:
        ask("DELETE", "/films/from")


def locked(right):
    """A job with a lock; wrong: nobody takes the lock back of one that is dead."""
    bucket()
    mine = b"host-1"
    if ask("PUT", "/films/lock", mine, If_None_Match="*") is None and not (
        right and ask("GET", "/films/lock")[0] == mine
    ):
        print("another one is at work")
        sys.exit(1)
    ask("PUT", "/films/cat", b"meow")
    ask("DELETE", "/films/lock")


def appended(right):
    """A record at the end of a log; wrong: it is appended again after an uncertain attempt."""
    bucket()
    if NOTE.exists():
        return
    log = ask("GET", "/films/log")
    lines = b"" if log is None else log[0]
    if not right or b"job 7\n" not in lines:
        ask("PUT", "/films/log", lines + b"job 7\n")
    NOTE.touch()


JOBS = {each.__name__: each for each in (noted, resumed, moved, locked, appended)}

if __name__ == "__main__":
    JOBS[sys.argv[1]](sys.argv[2] == "right")
