"""Lists a bucket that holds an object, as callers do that look what is there."""

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
found = [each["path"] for page in obstore.list(store) for each in page]
assert found == ["film"], f"nothing is there: {found}"
