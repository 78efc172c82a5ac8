"""Takes a lock that nobody has, with the precondition that makes an upload safe to retry."""

import os

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

client = storage.Client(
    project="films",
    credentials=AnonymousCredentials(),
    client_options={"api_endpoint": os.environ["ENDPOINT"]},
)
client.bucket("lake").blob("leader").upload_from_string(b"me", if_generation_match=0)
