"""Takes a lock that nobody has, as callers do that need one leader."""

import os

import obstore
from obstore.store import S3Store

store = S3Store(
    "lake",
    endpoint=os.environ["ENDPOINT"],
    region="us-east-1",
    access_key_id="id",
    secret_access_key="key",
    virtual_hosted_style_request=False,
    client_options={"allow_http": True},
)
try:
    obstore.put(store, "leader", b"me", mode="create")
except obstore.exceptions.AlreadyExistsError:
    print("somebody else is the leader")
held = [each["path"] for page in obstore.list(store) for each in page]
assert held == ["leader"], f"nobody is the leader: {held}"
