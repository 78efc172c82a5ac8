"""Opens a database twice, writes each time, and reads."""

import asyncio
import os

from slatedb.uniffi import Db, DbBuilder, ObjectStore, Settings

os.environ |= {
    "CLOUD_PROVIDER": "aws",
    "AWS_ENDPOINT": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


async def opened() -> Db:
    builder = DbBuilder("table", ObjectStore.resolve("s3://lake"))
    settings = Settings.default()
    settings.set("object_store_max_retries", "3")  # it retries for ever otherwise
    builder.with_settings(settings)
    return await builder.build()


async def main() -> None:
    for day in (b"1", b"2"):
        database = await opened()
        await database.put(day, b"a day")
        await database.shutdown()
    database = await opened()
    assert [await database.get(day) for day in (b"1", b"2")] == [b"a day", b"a day"]
    await database.shutdown()


asyncio.run(main())
