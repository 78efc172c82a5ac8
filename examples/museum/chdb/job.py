"""Writes two days into an Iceberg table, and reads them."""

import os

from chdb import session

table = os.environ["ENDPOINT"] + "/lake/table/"
database = session.Session()
database.query("SET s3_retry_attempts = 3")
database.query("SET allow_experimental_insert_into_iceberg = 1")
database.query(f"CREATE TABLE days (day Int32) ENGINE = IcebergS3('{table}', 'id', 'key', 'Parquet')")
for day in (1, 2):
    try:
        database.query(f"INSERT INTO days VALUES ({day})")
    except RuntimeError as error:
        print("the caller is told:", str(error)[:200])
days = str(database.query("SELECT day FROM days ORDER BY day", "CSV")).split()
assert days[:1] == ["1"], days
