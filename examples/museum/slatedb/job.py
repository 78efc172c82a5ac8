"""Opens a database twice, writes each time, and reads."""

import asyncio
import os

from slatedb.uniffi import Db, DbBuilder, ObjectStore, Settings

place = {"CLOUD_PROVIDER": "aws", "AWS_ENDPOINT": os.environ["ENDPOINT"], "AWS_REGION": "us-east-1"}
os.environ |= place | {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_ALLOW_HTTP": "true"}


async def open_database() -> Db:
    builder = DbBuilder("table", ObjectStore.resolve("s3://lake"))
    settings = Settings.default()
    settings.set("object_store_max_retries", "3")  # by default it has no limit
    builder.with_settings(settings)
    return await builder.build()


async def main() -> None:
    for day in (b"1", b"2"):
        database = await open_database()
        await database.put(day, b"a day")
        await database.shutdown()
    database = await open_database()
    assert [await database.get(day) for day in (b"1", b"2")] == [b"a day", b"a day"]
    await database.shutdown()


asyncio.run(main())
