"""Appends two days to a table, each again if it failed, as a scheduler does, and reads them."""

import os

from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, QueryBuilder, write_deltalake

OPTIONS = {
    "AWS_ENDPOINT_URL": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
TABLE = "s3://lake/table"

for day in (1, 2):
    rows = Table.from_pydict({"day": Array([day], DataType.int64())})
    for _ in range(2):
        try:
            write_deltalake(TABLE, rows, mode="append", storage_options=OPTIONS)
            break
        except OSError as error:
            print("the caller is told:", str(error).splitlines()[0])
table = QueryBuilder().register("days", DeltaTable(TABLE, storage_options=OPTIONS))
days = table.execute("SELECT day FROM days ORDER BY day").read_all()["day"].to_pylist()
assert days == [1, 2], days
