"""AWS's S3 client in C, as the Common Runtime has it for Python."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, S3ResponseError

from faultinject.conformance.drivers.python import Refused
from faultinject.conformance.drivers.python.path_style import PathStyle

GROUP = EventLoopGroup(1)
BOOTSTRAP = ClientBootstrap(GROUP, DefaultHostResolver(GROUP))
TYPES = {"GET": S3RequestType.GET_OBJECT, "PUT": S3RequestType.PUT_OBJECT}


class Client(PathStyle):
    """awscrt's S3 client, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(f"/{bucket}", self._request)
        self._host = endpoint.removeprefix("http://")
        self._s3: Any = S3Client(
            bootstrap=BOOTSTRAP,
            region="us-east-1",
            tls_mode=S3RequestTlsMode.DISABLED,
            credential_provider=AwsCredentialsProvider.new_static("id", "key"),
        )

    def _request(self, method: str, path: str, body: bytes | None) -> None:
        headers = HttpHeaders([("Host", self._host), ("Content-Length", str(len(body or b"")))])
        request = HttpRequest(method, path, headers, BytesIO(body or b""))
        name = "CreateMultipartUpload" if path.endswith("?uploads") else "CompleteMultipartUpload"
        kind = TYPES.get(method, S3RequestType.DEFAULT)
        operation = name if kind is S3RequestType.DEFAULT else None
        made = self._s3.make_request(type=kind, request=request, operation_name=operation)
        try:
            made.finished_future.result()
        except S3ResponseError as error:
            raise Refused(f"{error.status_code} {error}") from error
