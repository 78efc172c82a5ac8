"""Uploads a film of parts, copies it, lists and removes."""

import os

import s3fs

lake = s3fs.S3FileSystem(
    endpoint_url=os.environ["ENDPOINT"],
    key="id",
    secret="key",
    client_kwargs={"region_name": "us-east-1"},
    use_listings_cache=False,
)
film = b"abcdefgh" * (12 << 17)
with lake.open("lake/film", "wb", block_size=5 << 20) as target:
    target.write(film)
lake.copy("lake/film", "lake/copy")
assert lake.cat("lake/copy") == film
lake.rm("lake/copy")
assert lake.ls("lake") == ["lake/film"]
