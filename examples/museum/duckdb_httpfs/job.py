"""Writes two files, and reads both by a pattern."""

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
for day in (1, 2):
    database.execute(f"COPY (SELECT {day} AS day) TO 's3://lake/days/{day}.csv'")
days = database.execute("SELECT day FROM 's3://lake/days/*.csv' ORDER BY day").fetchall()
assert days == [(1,), (2,)], days
