"""A driver for `faultinject conformance --client 'python client.py'`; replace `Client`.

This one is cos-python-sdk-v5, which writes the bucket into the host: `IP` and `Port` send it to the server.
"""

import json
import sys
import threading
from urllib.parse import urlsplit

from qcloud_cos import CosConfig, CosS3Client


class Client:
    """The calls of the SDK; a call that it cannot make is left out."""

    def __init__(self, endpoint: str, bucket: str, etag: str) -> None:
        place = urlsplit(endpoint)
        self.bucket, self.parts = bucket, {"Part": [{"ETag": etag, "PartNumber": 1}]}
        self.cos = CosS3Client(
            CosConfig(
                Region="ap-guangzhou", SecretId="id", SecretKey="key", Scheme=place.scheme,
                IP=place.hostname, Port=place.port,
            )
        )  # fmt: skip

    def get(self, key: str) -> None:
        self.cos.get_object(self.bucket, key)["Body"].get_raw_stream().read()

    def put(self, key: str) -> None:
        self.cos.put_object(self.bucket, b"meow" * 100, key)

    def post(self, key: str) -> None:
        self.cos.create_multipart_upload(self.bucket, key)

    def complete(self, key: str) -> None:
        self.cos.complete_multipart_upload(self.bucket, key, key, self.parts)


def write(**line: object) -> None:
    with lock:
        print(json.dumps(line), file=answers, flush=True)


def answer(call: dict[str, str]) -> None:
    try:
        getattr(clients[call["client"]], call["do"])(call["key"])
    except Exception as error:
        causes = [repr(each) for each in (error, error.__cause__ or error.__context__) if each]
        write(key=call["key"], ok=False, error=": ".join(causes))
    else:
        write(key=call["key"], ok=True)


answers, sys.stdout, lock = sys.stdout, sys.stderr, threading.Lock()  # whatever an SDK prints is no answer
first = json.loads(sys.stdin.readline())
clients = {name: Client(first["endpoint"], first["bucket"], first["etag"]) for name in first["clients"]}
write(ready=True, kinds=[kind for kind in ("get", "put", "post", "complete") if hasattr(Client, kind)])
for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
