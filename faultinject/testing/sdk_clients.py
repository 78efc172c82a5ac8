"""How the vendors' Python clients are pointed at a server of this machine: what their constructors take.

No credential is checked. What people set themselves, such as retries and time-outs, is left to them.
"""

from __future__ import annotations

import importlib
import warnings

from faultinject.exceptions import MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Arguments = Callable[[str, int], dict[str, Any]]
    """From a host and a port to the arguments of a constructor."""

ID, SECRET = "id", "secret-key"  # MinIO's admin client wants eight characters


def _boto3(host: str, port: int) -> dict[str, Any]:
    # Of a host that is an address boto3 makes path style by itself, so a `config` of the user's own stands beside it.
    return {
        "endpoint_url": f"http://{host}:{port}",
        "region_name": "us-east-1",
        "aws_access_key_id": ID,
        "aws_secret_access_key": SECRET,
    }


def _azure(host: str, port: int) -> dict[str, Any]:
    return {"account_url": f"http://{host}:{port}/account", "credential": "a2V5"}


def _bos(host: str, port: int) -> dict[str, Any]:
    credentials = _of("bce-python-sdk", "baidubce.auth.bce_credentials", "BceCredentials")
    return {"credentials": credentials(ID, SECRET), "endpoint": f"http://{host}:{port}"}


def _cos(host: str, port: int) -> dict[str, Any]:
    # Hosts stay those of the cloud, so that the bucket stands where it always does; the address is given beside them.
    return {
        "Region": "ap-guangzhou",
        "SecretId": ID,
        "SecretKey": SECRET,
        "Scheme": "http",
        "IP": host,
        "Port": port,
        "ServiceDomain": f"{host}:{port}",
    }


def _gcs(host: str, port: int) -> dict[str, Any]:
    anonymous = _of("google-cloud-storage", "google.auth.credentials", "AnonymousCredentials")
    return {
        "project": "project",
        "credentials": anonymous(),
        "client_options": {"api_endpoint": f"http://{host}:{port}"},
    }


def _jss(host: str, port: int) -> dict[str, Any]:
    return {"end_point": f"http://{host}:{port}", "access_key": ID, "secret_key": SECRET}


def _minio(host: str, port: int) -> dict[str, Any]:
    return {
        "endpoint": f"{host}:{port}",
        "access_key": ID,
        "secret_key": SECRET,
        "secure": False,
        "region": "us-east-1",
    }


def _obs(host: str, port: int) -> dict[str, Any]:
    return {"access_key_id": ID, "secret_access_key": SECRET, "server": f"http://{host}:{port}"}


def _oss(host: str, port: int) -> dict[str, Any]:
    return {"auth": _of("oss2", "oss2", "Auth")(ID, SECRET), "endpoint": f"http://{host}:{port}"}


def _qingstor(host: str, port: int) -> dict[str, Any]:
    config = _of("qingstor-sdk", "qingstor.sdk.config", "Config")(ID, SECRET)
    config.host, config.port, config.protocol = host, port, "http"
    return {"config": config}


def _tos(host: str, port: int) -> dict[str, Any]:
    # It writes the bucket into the Host: the server is its proxy.
    return {
        "ak": ID,
        "sk": SECRET,
        "endpoint": "http://tos-cn-beijing.volces.com",
        "region": "cn-beijing",
        "proxy_host": host,
        "proxy_port": port,
    }


CLIENTS: Mapping[str, tuple[str, Arguments]] = {
    **dict.fromkeys(
        ("s3", "rgw", "r2", "kodo-s3", "jdcloud", "qiniu-mix", "gcs-xml"), ("boto3.client", _boto3)
    ),
    "azure-blob": ("azure.storage.blob.BlobServiceClient", _azure),
    "bos": ("baidubce.bce_client_configuration.BceClientConfiguration", _bos),
    "cos": ("qcloud_cos.CosConfig", _cos),
    "gcs": ("google.cloud.storage.Client", _gcs),
    "jss": ("jss_upload.jss.Jss", _jss),
    "minio": ("minio.Minio", _minio),
    "obs": ("obs.ObsClient", _obs),
    "oss": ("oss2.Bucket", _oss),
    "qingstor": ("qingstor.sdk.service.qingstor.QingStor", _qingstor),
    "tos": ("tos.TosClientV2", _tos),
}
"""By vendor: the constructor, and what it takes."""


def variables_of(vendor: str, host: str, port: int) -> dict[str, str]:
    """The environment that points programs at a store of this machine: `ENDPOINT`, and what the vendor's SDKs read."""
    url = f"http://{host}:{port}"
    account = f"AccountName=account;AccountKey=a2V5;BlobEndpoint={url}/account"
    return {"ENDPOINT": url} | {
        name: text.format(url=url, host=host, port=port, account=account)
        for name, text in VARIABLES.get(vendor, _AWS).items()
    }


_AWS: Mapping[str, str] = {
    "AWS_ENDPOINT_URL": "{url}",
    "AWS_ENDPOINT_URL_S3": "{url}",
    "AWS_ACCESS_KEY_ID": ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
VARIABLES: Mapping[str, Mapping[str, str]] = {
    "azure-blob": {"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;{account};"},
    "gcs": {"STORAGE_EMULATOR_HOST": "{url}", "GOOGLE_CLOUD_PROJECT": "project"},
    "oss": {"OSS_ENDPOINT": "{url}", "OSS_ACCESS_KEY_ID": ID, "OSS_ACCESS_KEY_SECRET": SECRET},
    "minio": {**_AWS, "MINIO_ACCESS_KEY": ID, "MINIO_SECRET_KEY": SECRET},
    "tos": {"TOS_ENDPOINT": "{url}", "TOS_ACCESS_KEY": ID, "TOS_SECRET_KEY": SECRET},
    "obs": {"OBS_ACCESS_KEY_ID": ID, "OBS_SECRET_ACCESS_KEY": SECRET},
}
"""By vendor: the variables that its SDKs and tools read; of the others AWS's."""


def _of(package: str, module: str, name: str) -> Any:
    """A name of an SDK.

    Raises:
        MissingExtra: the SDK is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the SDKs' source
            found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        from faultinject.installation import install_package

        why = f"client_kwargs makes an object of {package}, which is not installed"
        raise MissingExtra(f"{why}: {install_package(package)}") from None
    return getattr(found, name)
