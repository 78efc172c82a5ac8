"""Clients in Rust, C++ and C in their own process: the error that each reports for each key.

They leave threads behind, so they have a process of their own.

The arguments are the client, the vendor that it is for, the server's URL, `get` or `put`, and the keys. An error
comes out as JSON, with its class, its text and, where it has them, its name, status, headers and body.
"""

import io
import json
import sys

BUCKET = "photos"
KEYS = {"access_key_id": "id", "secret_access_key": "key", "region": "us-east-1"}
OPENDAL = {
    "azure-blob": ("azblob", "/account", {"account_name": "account", "account_key": "a2V5"}),
    "gcs": (
        "gcs",
        "",
        {"skip_signature": "true", "disable_vm_metadata": "true", "disable_config_load": "true"},
    ),
    "oss": ("oss", "", {"access_key_id": "id", "access_key_secret": "key", "addressing_style": "path"}),
    "swift-itself": ("swift", "/v1/AUTH_account", {"token": "token"}),
}
"""The services whose address can be given, beside S3's; that for TOS asks over TLS alone."""
OPENDAL_BY_HOST = {
    "cos-itself": ("cos", {"secret_id": "id", "secret_key": "key"}, "http://cos.ap-guangzhou.myqcloud.com"),
    "obs-itself": (
        "obs",
        {"access_key_id": "id", "secret_access_key": "key"},
        "http://obs.cn-north-4.myhuaweicloud.com",
    ),
}
"""Services with the bucket in the host's name; the server is their proxy, as none resolves."""


def object_store(vendor, url):
    import obstore
    from obstore.store import AzureStore, GCSStore, S3Store

    options = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}
    if vendor == "azure-blob":
        account = {"account_name": "account", "account_key": "a2V5", "endpoint": f"{url}/account"}
        store = AzureStore(BUCKET, **account, **options)
    elif vendor == "gcs-xml":
        store = GCSStore(BUCKET, base_url=url, bearer_token="token", **options)
    else:
        store = S3Store(BUCKET, endpoint=url, virtual_hosted_style_request=False, **KEYS, **options)
    return lambda key: obstore.get(store, key), lambda key: obstore.put(store, key, b"x")


def opendal(vendor, url):
    from opendal import Operator

    if vendor in OPENDAL_BY_HOST:
        service, options, endpoint = OPENDAL_BY_HOST[vendor]
        operator = Operator(service, bucket=BUCKET, endpoint=endpoint, **options)
    elif vendor in OPENDAL:
        service, path, options = OPENDAL[vendor]
        container = "container" if path else "bucket"
        operator = Operator(service, endpoint=f"{url}{path}", **{container: BUCKET}, **options)
    else:
        off = {"disable_config_load": "true", "disable_ec2_metadata": "true"}
        operator = Operator("s3", bucket=BUCKET, endpoint=url, **KEYS, **off)
    return operator.read, lambda key: operator.write(key, b"x")


def pyarrow(_vendor, url):
    from pyarrow import fs

    files = fs.S3FileSystem(
        access_key="id",
        secret_key="key",
        region="us-east-1",
        scheme="http",
        endpoint_override=url.removeprefix("http://"),
        allow_delayed_open=True,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        connect_timeout=60,  # by default a second, which a busy machine may need
        request_timeout=60,
    )

    def get(key):
        with files.open_input_stream(f"{BUCKET}/{key}") as file:
            file.read()

    def put(key):
        with files.open_output_stream(f"{BUCKET}/{key}") as file:
            file.write(b"x")

    return get, put


def awscrt(_vendor, url):
    from awscrt import s3
    from awscrt.auth import AwsCredentialsProvider
    from awscrt.http import HttpHeaders, HttpRequest
    from awscrt.io import ClientBootstrap

    client = s3.S3Client(
        bootstrap=ClientBootstrap.get_or_create_static_default(),
        region="us-east-1",
        tls_mode=s3.S3RequestTlsMode.DISABLED,
        credential_provider=AwsCredentialsProvider.new_static("id", "key"),
        retry_config=s3.S3RetryConfig(retry_mode=s3.S3RetryMode.NONE),
    )

    def ask(kind, method, key, body=b""):
        headers = HttpHeaders([("Host", url.removeprefix("http://")), ("Content-Length", str(len(body)))])
        request = HttpRequest(method, f"/{BUCKET}/{key}", headers, io.BytesIO(body))
        client.make_request(type=kind, request=request).finished_future.result(30)

    return (
        lambda key: ask(s3.S3RequestType.GET_OBJECT, "GET", key),
        lambda key: ask(s3.S3RequestType.PUT_OBJECT, "PUT", key, b"x"),
    )


CLIENTS = {"obstore": object_store, "opendal": opendal, "pyarrow": pyarrow, "awscrt": awscrt}
"""By the package that has it."""


def main(client, vendor, url, call, *keys):
    """Ask for each key; of one whose call is a success nothing comes out."""
    calls = dict(zip(("get", "put"), CLIENTS[client](vendor, url), strict=True))
    said = {}
    for key in keys:
        try:
            calls[call](key)
        except Exception as error:
            said[key] = {
                "class": type(error).__name__,
                "text": str(error),
                "name": getattr(error, "name", None),
            }
            if hasattr(error, "headers"):
                said[key] |= {
                    "status": error.status_code,
                    "headers": error.headers,
                    "body": error.body.decode(),
                }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
