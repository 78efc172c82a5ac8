"""Writes a log, then appends a line to it."""
# /// script
# dependencies = ["adlfs==2026.8.0"]
# [tool.survey]
# vendor = "azure-blob"
# prepare = "curl -s -X PUT \"$ENDPOINT/account/lake?restype=container\""
# lost = "the log: a line stands twice"
# confirmed = "the job: it reads one line twice"
# ///

import os

from adlfs import AzureBlobFileSystem

connection = f"AccountName=account;AccountKey=a2V5;BlobEndpoint={os.environ['ENDPOINT']}/account;"
lake = AzureBlobFileSystem(connection_string=connection)
for line in (b"one\n", b"two\n"):
    with lake.open("lake/log", "ab") as log:
        log.write(line)
assert lake.cat("lake/log") == b"one\ntwo\n"
