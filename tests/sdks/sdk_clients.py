"""The vendors' SDKs before a server of ours; each takes further settings of its own."""

import warnings
from contextlib import closing

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of invalid escapes and deprecated imports
    import alibabacloud_oss_v2 as oss
    import oss2 as oss2
    from baidubce.auth.bce_credentials import BceCredentials
    from baidubce.bce_client_configuration import BceClientConfiguration
    from baidubce.exception import BceHttpClientError as BceHttpClientError
    from baidubce.exception import BceServerError as BceServerError
    from baidubce.retry.retry_policy import NoRetryPolicy as NoRetryPolicy
    from baidubce.services.bos.bos_client import BosClient
    from jss_upload.jss import Jss as Jss
    from minio import Minio
    from minio.commonconfig import CopySource as CopySource
    from minio.credentials import StaticProvider as StaticProvider
    from minio.deleteobjects import DeleteObject as DeleteObject
    from minio.error import MinioAdminException as MinioAdminException
    from minio.error import S3Error as S3Error
    from minio.error import ServerError as ServerError
    from minio.minioadmin import MinioAdmin as MinioAdmin
    from obs import CompleteMultipartUploadRequest as CompleteMultipartUploadRequest
    from obs import CompletePart as CompletePart
    from obs import DeleteObjectsRequest as DeleteObjectsRequest
    from obs import Object as Object
    from obs import ObsClient
    from qcloud_cos import CosConfig, CosS3Client
    from qcloud_cos import CosServiceError as CosServiceError
    from qcloud_cos import cos_client as cos_client
    from qingstor.sdk.config import Config as QingStorConfig
    from qingstor.sdk.service.qingstor import QingStor


def bos(url, **settings):
    credentials = BceCredentials("id", "key")
    return BosClient(BceClientConfiguration(credentials=credentials, endpoint=url, **settings))


def cos(port, *, timeout=10, domain=None, **settings):
    config = CosConfig(
        Region="ap-guangzhou", SecretId="id", SecretKey="key", Scheme="http", IP="127.0.0.1", Port=port,
        ServiceDomain=domain, Timeout=timeout,
    )  # fmt: skip
    return CosS3Client(config, **settings)


def minio(port, **settings):
    place = f"127.0.0.1:{port}"
    return Minio(
        place, access_key="id", secret_key="secret-key", secure=False, region="us-east-1", **settings
    )


def obs(url, **settings):
    """Without the call that asks which signature the server takes; to be closed by `with`."""
    return closing(ObsClient("id", "key", server=url, timeout=60, is_signature_negotiation=False, **settings))


def oss_v2(url, **settings):
    """The newer SDK."""
    config = oss.config.load_default()
    config.region, config.endpoint, config.use_path_style = "cn-hangzhou", url, True
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "key")
    vars(config).update(settings)
    return oss.Client(config)


def qingstor(port, **settings):
    """The service, whose `client` is to be closed."""
    config = QingStorConfig("id", "key")
    vars(config).update({"host": "127.0.0.1", "port": port, "protocol": "http", **settings})
    return QingStor(config)
