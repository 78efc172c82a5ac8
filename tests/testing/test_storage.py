"""`Storage`: each vendor's Python client reaches the store with `client_kwargs` alone."""

import io
import sys
import threading
import time
from contextlib import closing
from pkgutil import resolve_name

import pytest
import requests
import urllib3

import faultinject
from faultinject.exceptions import MissingExtraError
from faultinject.store.stores import STORES

pytestmark = [
    pytest.mark.live,
    # The SDKs' source, their use of old functions, and the sockets that they leave to the garbage.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def storages():
    with closing(faultinject.StorageFactory()) as factory:
        yield factory


def boto3_client(client, kwargs):
    with closing(client("s3", **kwargs)) as made:
        made.create_bucket(Bucket="photos")
        made.put_object(Bucket="photos", Key="cat", Body=b"meow")
        return made.get_object(Bucket="photos", Key="cat")["Body"].read()


def azure(client, kwargs):
    with client(**kwargs) as service:
        container = service.create_container("photos")
        container.upload_blob("cat", b"meow")
        return container.download_blob("cat").readall()


def bos(client, kwargs):
    from baidubce.services.bos.bos_client import BosClient

    made = BosClient(client(**kwargs))
    made.create_bucket("photos")
    made.put_object_from_string("photos", "cat", "meow")
    return made.get_object_as_string("photos", "cat")


def cos(client, kwargs):
    from qcloud_cos import CosS3Client

    with requests.Session() as session:
        made = CosS3Client(client(**kwargs), session=session)
        assert "Buckets" in made.list_buckets()  # the service, which has a host of its own
        made.create_bucket("photos-1250000000")
        made.put_object("photos-1250000000", b"meow", "cat")
        return made.get_object("photos-1250000000", "cat")["Body"].get_raw_stream().read()


def gcs(client, kwargs):
    with closing(client(**kwargs)) as made:
        cat = made.create_bucket("photos").blob("cat")
        cat.upload_from_string(b"meow")
        return cat.download_as_bytes()


def jss(client, kwargs):
    requests.put(f"{kwargs['end_point']}/photos", timeout=60)  # its own way to make a bucket sends nothing
    bucket = client(**kwargs).bucket("photos")
    bucket.object("cat").put_data("meow", "cat")
    return bucket.object("cat").get().content


def minio(client, kwargs):
    with urllib3.PoolManager() as connections:
        made = client(**kwargs, http_client=connections)
        made.make_bucket("photos")
        made.put_object("photos", "cat", io.BytesIO(b"meow"), 4)
        with made.get_object("photos", "cat") as answer:
            return answer.read()


def obs(client, kwargs):
    with closing(client(**kwargs)) as made:
        assert made.createBucket("photos").status == 200
        assert made.putContent("photos", "cat", "meow").status == 200
        return made.getObject("photos", "cat", loadStreamInMemory=True).body.buffer


def oss(client, kwargs):
    bucket = client(bucket_name="photos", **kwargs)
    with closing(bucket.session.session):
        bucket.create_bucket()
        bucket.put_object("cat", b"meow")
        return bucket.get_object("cat").read()


def qingstor(client, kwargs):
    service = client(**kwargs)
    bucket = service.Bucket("photos", "")
    with closing(service.client):
        assert bucket.put().status_code == 201
        bucket.put_object("cat", body=b"meow")
        return bucket.get_object("cat").content


WAYS = {
    "boto3.client": boto3_client,
    "azure.storage.blob.BlobServiceClient": azure,
    "baidubce.bce_client_configuration.BceClientConfiguration": bos,
    "qcloud_cos.CosConfig": cos,
    "google.cloud.storage.Client": gcs,
    "jss_upload.jss.Jss": jss,
    "minio.Minio": minio,
    "obs.ObsClient": obs,
    "oss2.Bucket": oss,
    "qingstor.sdk.service.qingstor.QingStor": qingstor,
}


def test_every_store_has_its_client():
    """Each vendor of the store has a client here, but TOS, whose package needs other versions."""
    assert {each.client for each in STORES.values()} == {*WAYS, "tos.TosClientV2"}


@pytest.mark.parametrize("vendor", [each for each in sorted(STORES) if each != "tos"])
def test_the_client_reaches_the_store(storages, vendor):
    """The client stores and loads, and rules see bucket and operation of its requests."""
    storage = storages(vendor)
    slow = faultinject.vendors.get(vendor).group("@throttle")[0].address
    bucket = "photos-1250000000" if vendor == "cos" else "photos"
    with faultinject.inject(slow, bucket="nobody-s") as faults:
        assert WAYS[storage.client](resolve_name(storage.client), storage.client_kwargs) == b"meow"
    assert (faults.attempts >= 3, faults.injected) == (True, 0)
    assert storage.client_kwargs is not storage.client_kwargs  # a user may add to them
    seen = {(bool(each.operation), each.bucket) for each in faults.outcomes if each.key == "cat"}
    assert seen == {(True, bucket)}
    storage.reset()


def test_tos_is_its_proxy(storages):
    """The SDK takes the arguments, and names the bucket in the host behind its proxy."""
    kwargs = storages("tos").client_kwargs
    assert {*kwargs} == {"ak", "sk", "endpoint", "region", "proxy_host", "proxy_port"}
    proxy = {"http": f"http://{kwargs['proxy_host']}:{kwargs['proxy_port']}"}
    host = kwargs["endpoint"].replace("http://", "http://photos.")
    assert requests.put(host, proxies=proxy, timeout=60).status_code == 200
    assert requests.put(f"{host}/cat", data=b"meow", proxies=proxy, timeout=60).status_code == 200
    assert requests.get(f"{host}/cat", proxies=proxy, timeout=60).content == b"meow"


@pytest.mark.parametrize(
    ("vendor", "module", "package"),
    [
        ("bos", "baidubce", "bce-python-sdk"),
        ("gcs", "google", "google-cloud-storage"),
        ("oss", "oss2", "oss2"),
        ("qingstor", "qingstor", "qingstor-sdk"),
    ],
)
def test_an_sdk_that_is_missing(storages, monkeypatch, vendor, module, package):
    """The message names the command that brings it."""
    storage = storages(vendor)
    for each in [each for each in sys.modules if f"{each}.".startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(
        sys, "meta_path", [each for each in sys.meta_path if not hasattr(each, "known_source_files")]
    )
    with pytest.raises(MissingExtraError, match=f"which is not installed: .*pip install (.* )?{package}$"):
        storage.client_kwargs  # noqa: B018 - the look is what is tested


def test_a_broken_sdk_says_so_itself(storages, monkeypatch, tmp_path):
    """An SDK that lacks something of its own is not called missing."""
    (tmp_path / "oss2.py").write_text("import crcmod_is_not_there\n")
    monkeypatch.delitem(sys.modules, "oss2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="crcmod_is_not_there"):
        storages("oss").client_kwargs  # noqa: B018 - the look is what is tested


def test_close_after_a_test_that_stopped_the_clocks(monkeypatch):
    """As freezegun does: the store answers meanwhile, and ends."""
    storage = faultinject.Storage("s3")
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: 1.7e9)
        for name in "abc":
            assert requests.put(f"{storage.url}/photos-{name}", timeout=60).ok
    ending = threading.Thread(target=storage.close, daemon=True)
    ending.start()
    ending.join(60)
    assert not ending.is_alive()


def test_close_ends_threads_and_connections():
    """A client that keeps its connection learns of the end, and nobody answers any more."""
    before = set(threading.enumerate())
    with requests.Session() as session:
        session.trust_env = False
        with faultinject.Storage("s3") as storage:
            assert session.get(storage.url, timeout=60).status_code == 200
            assert len(set(threading.enumerate()) - before) == 1
        assert set(threading.enumerate()) <= before
        with pytest.raises(requests.ConnectionError):
            session.get(storage.url, timeout=60)


def test_own_host_suffixes(monkeypatch):
    """A name of the user's own for the store, with the bucket in front of it."""
    monkeypatch.setenv("FAULTINJECT_ENDPOINT", "storage.test")
    host = {"Host": "photos.storage.test"}
    with (
        faultinject.Storage("s3") as storage,
        faultinject.inject("s3:SlowDown", times=1, bucket="photos"),
    ):
        statuses = [requests.put(storage.url, headers=host, timeout=60).status_code for _ in range(2)]
    assert statuses == [503, 200]
