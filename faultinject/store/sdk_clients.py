"""The arguments that make the vendors' Python clients use a server on this machine.

No credential is checked. Settings such as retries and time-outs are the user's choice.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from faultinject.exceptions import MissingExtraError

ID, SECRET = "id", "secret-key"  # MinIO's admin client wants eight characters

AWS_VARIABLES = {
    "AWS_ENDPOINT_URL": "{url}",
    "AWS_ENDPOINT_URL_S3": "{url}",
    "AWS_ACCESS_KEY_ID": ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment variables of AWS's SDKs and tools, and of most tools for relatives of S3."""


def boto3(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of boto3.client."""
    # No `config` is needed, so users can add their own: boto3 uses path style if the host is an IP address.
    return {
        "endpoint_url": f"http://{host}:{port}",
        "region_name": "us-east-1",
        "aws_access_key_id": ID,
        "aws_secret_access_key": SECRET,
    }


def azure(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of BlobServiceClient."""
    return {"account_url": f"http://{host}:{port}/account", "credential": "a2V5"}


def bos(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of BceClientConfiguration."""
    credentials = _import_name("bce-python-sdk", "baidubce.auth.bce_credentials", "BceCredentials")
    return {"credentials": credentials(ID, SECRET), "endpoint": f"http://{host}:{port}"}


def cos(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of CosConfig."""
    # Hosts stay the cloud's, so that the bucket is in the usual place; the server's address is a separate argument.
    return {
        "Region": "ap-guangzhou",
        "SecretId": ID,
        "SecretKey": SECRET,
        "Scheme": "http",
        "IP": host,
        "Port": port,
        "ServiceDomain": f"{host}:{port}",
    }


def gcs(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of google.cloud.storage.Client."""
    anonymous = _import_name("google-cloud-storage", "google.auth.credentials", "AnonymousCredentials")
    return {
        "project": "project",
        "credentials": anonymous(),
        "client_options": {"api_endpoint": f"http://{host}:{port}"},
    }


def jss(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of Jss."""
    return {"end_point": f"http://{host}:{port}", "access_key": ID, "secret_key": SECRET}


def minio(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of Minio."""
    return {
        "endpoint": f"{host}:{port}",
        "access_key": ID,
        "secret_key": SECRET,
        "secure": False,
        "region": "us-east-1",
    }


def obs(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of ObsClient."""
    return {"access_key_id": ID, "secret_access_key": SECRET, "server": f"http://{host}:{port}"}


def oss(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of oss2.Bucket."""
    return {"auth": _import_name("oss2", "oss2", "Auth")(ID, SECRET), "endpoint": f"http://{host}:{port}"}


def qingstor(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of QingStor."""
    config = _import_name("qingstor-sdk", "qingstor.sdk.config", "Config")(ID, SECRET)
    config.host, config.port, config.protocol = host, port, "http"
    return {"config": config}


def tos(host: str, port: int) -> dict[str, Any]:
    """Make the arguments of TosClientV2."""
    # The SDK writes the bucket into the Host, which has no address here; so the server is its proxy.
    return {
        "ak": ID,
        "sk": SECRET,
        "endpoint": "http://tos-cn-beijing.volces.com",
        "region": "cn-beijing",
        "proxy_host": host,
        "proxy_port": port,
    }


def _import_name(package: str, module: str, name: str) -> Any:
    """Import a name of an SDK.

    Raises:
        MissingExtraError: the SDK is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the SDKs' source
            sdk = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise

        reason = f"client_kwargs makes an object of {package}, which is not installed"
        raise MissingExtraError(f"{reason}: pip install {package}") from None
    return getattr(sdk, name)
