"""Creates a repository, and commits to it."""

import os

import icechunk
import zarr

storage = icechunk.s3_storage(
    bucket="lake",
    prefix="repo",
    region="us-east-1",
    endpoint_url=os.environ["ENDPOINT"],
    allow_http=True,
    force_path_style=True,
    access_key_id="id",
    secret_access_key="key",
)
session = icechunk.Repository.create(storage).writable_session("main")
zarr.group(store=session.store)
session.commit("the first")
