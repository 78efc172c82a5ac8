"""Moves a film within a bucket: copies it, then deletes the source."""
# /// script
# dependencies = ["esdk-obs-python==3.26.6"]
# [tool.survey]
# vendor = "obs"
# faults = ["obs:InternalError,operation=CopyObject,status=200"]
# prepare = "curl -s -X PUT $ENDPOINT/lake; curl -s -X PUT -d film $ENDPOINT/lake/film"
# lost = "the film: a failed copy is reported as done, and its source is deleted"
# confirmed = "its code: a status below 300 is a success, whatever the body says (client.py:1024)"
# ///

import os

from obs import ObsClient

client = ObsClient(
    access_key_id="id", secret_access_key="key", server=os.environ["ENDPOINT"], path_style=True
)
copied = client.copyObject("lake", "film", "lake", "archive")
if copied.status >= 300:
    raise SystemExit(f"copy: {copied.errorCode}")
deleted = client.deleteObject("lake", "film")
if deleted.status >= 300:
    raise SystemExit(f"delete: {deleted.errorCode}")
