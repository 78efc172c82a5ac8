"""Uploads a film that is not there yet."""

import os

from azure.storage.blob import BlobClient

film = BlobClient(
    os.environ["ENDPOINT"] + "/account",
    "lake",
    "film",
    credential="a2V5",
    initial_backoff=1,
    increment_base=1,
)
film.upload_blob(b"a film")
