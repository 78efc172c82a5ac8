"""Uploads a film of two parts."""

import io
import os

from minio import Minio

store = Minio(os.environ["ENDPOINT"].removeprefix("http://"), "id", "key", secure=False, region="us-east-1")
film = b"abcdefgh" * (6 << 17)
store.put_object("lake", "film", io.BytesIO(film), length=-1, part_size=5 << 20)
assert store.get_object("lake", "film").read() == film
