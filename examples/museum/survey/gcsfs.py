"""Writes two files, then removes one."""
# /// script
# dependencies = ["gcsfs==2026.10.1"]
# [tool.survey]
# vendor = "gcs"
# prepare = "curl -s -H 'Content-Type: application/json' -d '{\"name\": \"lake\"}' \"$ENDPOINT/storage/v1/b?project=p\""
# lost = "the truth: a finished removal is reported as FileNotFoundError"
# confirmed = "what the store held: the object was gone"
# ///

import os

# Else it asks Google itself for the kind of the bucket.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
import gcsfs

lake = gcsfs.GCSFileSystem(project="p", token="anon", endpoint_url=os.environ["ENDPOINT"])
for name in ("old", "new"):
    with lake.open(f"lake/{name}", "wb") as target:
        target.write(name.encode())
lake.rm_file("lake/old")
