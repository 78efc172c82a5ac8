"""Writes a file of three parts, and counts its rows."""

import os
from pathlib import Path

import duckdb
import duckdb_extension_httpfs

host = os.environ["ENDPOINT"].removeprefix("http://")
[extension] = Path(duckdb_extension_httpfs.__file__).parent.rglob("*.duckdb_extension")
database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
database.execute(f"LOAD '{extension}'")
database.execute(
    f"CREATE SECRET (TYPE s3, KEY_ID 'id', SECRET 'key', REGION 'us-east-1', ENDPOINT '{host}',"
    " URL_STYLE 'path', USE_SSL false)"
)
database.execute("SET s3_uploader_max_filesize = '50GB'")  # makes parts of 5 MB
database.execute("COPY (SELECT range AS n FROM range(2000000)) TO 's3://lake/n.csv'")
assert database.execute("SELECT count(*) FROM 's3://lake/n.csv'").fetchone() == (2000000,)
