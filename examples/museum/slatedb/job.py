"""Opens a database twice, writes each time, and reads."""

import asyncio
import os

from slatedb.uniffi import DbBuilder, ObjectStore

os.environ |= {
    "CLOUD_PROVIDER": "aws",
    "AWS_ENDPOINT": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


async def main() -> None:
    for day in (b"1", b"2"):
        database = await DbBuilder("table", ObjectStore.resolve("s3://lake")).build()
        await database.put(day, b"a day")
        await database.shutdown()
    database = await DbBuilder("table", ObjectStore.resolve("s3://lake")).build()
    assert [await database.get(day) for day in (b"1", b"2")] == [b"a day", b"a day"]
    await database.shutdown()


asyncio.run(main())
