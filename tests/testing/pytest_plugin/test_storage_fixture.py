"""The fixture `faultinject_store`: code under test that is a client of an object store."""

import threading

import pytest

from .conftest import WITHOUT

HEAD = """
    import boto3
    import faultinject
    import pytest
    from botocore.config import Config

    def connect(storage, attempts=3):
        config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
        return boto3.client("s3", config=config, **storage.client_kwargs)

    @pytest.fixture(autouse=True)
    def no_waiting(monkeypatch):
        monkeypatch.setattr("time.sleep", lambda _: None)

    @pytest.fixture
    def storage(faultinject_store):
        return faultinject_store("s3")

    @pytest.fixture
    def s3(storage):
        client = connect(storage)
        yield client
        client.close()

    def names(client):
        return [each["Name"] for each in client.list_buckets()["Buckets"]]
"""


@pytest.fixture
def with_s3(passes):
    """Run tests that have boto3's client of a store."""
    return lambda source, *more: passes(f"{HEAD}\n{source}", *more)


def test_a_store_of_each_test(with_s3):
    """Faults of its requests, and what is left of what it stored.

    There is one for each vendor and session.
    """
    with_s3(
        """
    class TestMarker:
        # It reaches the store in the call phase alone; `faults` has operation, bucket and key.

        @pytest.fixture
        def photos(self, s3):
            s3.create_bucket(Bucket="photos")

        @pytest.mark.faultinject("s3:SlowDown", times=2, bucket="photos", operation="PutObject")
        def test_upload(self, photos, s3, faults):
            s3.put_object(Bucket="photos", Key="cat.jpg", Body=b"meow")
            assert s3.get_object(Bucket="photos", Key="cat.jpg")["Body"].read() == b"meow"
            seen = [(each.operation, each.bucket, each.key, each.status) for each in faults.outcomes]
            put = ("PutObject", "photos", "cat.jpg")
            assert seen == [(*put, 503), (*put, 503), (*put, 200), ("GetObject", "photos", "cat.jpg", 200)]
            assert (faults.injected, [len(each.attempts) for each in faults.calls]) == (2, [3, 1])

    # `bucket=` separates the storage's requests from the app's in one process.

    @pytest.mark.faultinject("s3:InternalError", times=1, bucket="photos")
    def test_an_app_between(s3, faults):
        import flask
        app = flask.Flask("app")

        @app.post("/upload/<name>")
        def upload(name):
            s3.put_object(Bucket="photos", Key=name, Body=b"meow")
            return "", 201

        with faults.pause():
            s3.create_bucket(Bucket="photos")
        assert app.test_client().post("/upload/cat.jpg").status_code == 201
        assert sorted((each.bucket, each.status) for each in faults.outcomes) == [
            ("photos", 200), ("photos", 500), ("upload", 201)]

    class TestAfterwards:
        # What a test and its fixtures stored is gone after it; their clean-up still finds it.

        @pytest.fixture
        def photos(self, s3):
            s3.create_bucket(Bucket="photos")
            yield
            s3.put_object(Bucket="photos", Key="late", Body=b"x")

        @pytest.mark.parametrize("number", range(3))
        def test_one(self, photos, s3, number):
            assert names(s3) == ["photos"]
            assert "Contents" not in s3.list_objects_v2(Bucket="photos")
            s3.put_object(Bucket="photos", Key="cat", Body=b"meow")
            s3.create_multipart_upload(Bucket="photos", Key="film")
            s3.create_bucket(Bucket="films")

    def test_last(s3):
        assert names(s3) == []

    class TestFactory:
        # Two vendors are two stores; a second call gives the same one.

        seen = []

        def test_one(self, faultinject_store):
            assert isinstance(faultinject_store, faultinject.StorageFactory)
            cos, s3 = faultinject_store("cos"), faultinject_store("s3")
            assert isinstance(cos, faultinject.Storage)
            assert faultinject_store("cos") is cos
            assert (cos.vendor, s3.vendor, cos.host) == ("cos", "s3", "127.0.0.1")
            assert cos.port != s3.port
            assert cos.url == f"http://127.0.0.1:{cos.port}"
            assert repr(cos) == f"<Storage cos {cos.url}>"
            self.seen.append(cos)

        def test_two(self, faultinject_store):
            assert [faultinject_store("cos")] == self.seen
    """,
        8,
    )


@pytest.mark.slow
def test_seed_data_of_wider_fixtures(with_s3):
    """Data of wider fixtures is there in each test of their scope, unchanged, then gone.

    Their clean-up still finds it.
    """
    with_s3(
        """
    @pytest.fixture(scope="session")
    def client(faultinject_store):
        client = connect(faultinject_store("s3"))
        yield client
        client.close()

    @pytest.fixture(scope="session")
    def archive(client):
        client.create_bucket(Bucket="archive")
        yield
        client.delete_bucket(Bucket="archive")

    @pytest.fixture(scope="class")
    def photos(client):
        client.create_bucket(Bucket="photos")
        client.put_object(Bucket="photos", Key="cat", Body=b"meow")
        upload = client.create_multipart_upload(Bucket="photos", Key="film")["UploadId"]
        client.upload_part(Bucket="photos", Key="film", PartNumber=1, UploadId=upload, Body=b"film")
        yield upload
        client.abort_multipart_upload(Bucket="photos", Key="film", UploadId=upload)
        client.delete_object(Bucket="photos", Key="cat")
        client.delete_bucket(Bucket="photos")

    class TestPhotos:
        @pytest.mark.parametrize("number", range(2))
        def test_changed(self, photos, client, number):
            assert names(client) == ["photos"]
            assert client.get_object(Bucket="photos", Key="cat")["Body"].read() == b"meow"
            parts = client.list_parts(Bucket="photos", Key="film", UploadId=photos)["Parts"]
            assert [each["Size"] for each in parts] == [4]
            client.upload_part(Bucket="photos", Key="film", PartNumber=2, UploadId=photos, Body=b"x")
            client.put_object(Bucket="photos", Key="cat", Body=b"purr")
            client.put_object(Bucket="photos", Key="dog", Body=b"woof")

        def test_a_wider_fixture_comes_later(self, photos, client, request):
            request.getfixturevalue("archive")
            assert names(client) == ["archive", "photos"]

        def test_it_stays(self, photos, client):
            assert names(client) == ["archive", "photos"]

    class TestOthers:
        def test_the_class_s_is_gone_the_session_s_is_there(self, client):
            assert names(client) == ["archive"]

        def test_again(self, photos, client):
            assert names(client) == ["archive", "photos"]
    """,
        6,
    )


def test_a_wider_fixture_that_fails(project):
    """A failing wider fixture's data goes with it, and the next module can make the bucket."""
    module = f"""{HEAD}
    @pytest.fixture(scope="module")
    def broken(faultinject_store):
        client = connect(faultinject_store("s3"))
        assert names(client) == []
        client.create_bucket(Bucket="photos")
        client.close()
        raise RuntimeError("out of film")

    def test_one(broken):
        pass
    """
    project.makepyfile(test_first=module, test_second=module)
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=2)
    assert result.stdout.str().count("E       RuntimeError: out of film") == 2


@pytest.mark.slow
def test_reset_in_a_loop(with_s3):
    """A loop of runs begins each with what the test began with."""
    with_s3(
        """
    @pytest.fixture(scope="module")
    def photos(faultinject_store):
        client = connect(faultinject_store("s3"))
        client.create_bucket(Bucket="photos")
        client.close()

    def test_upload(photos, storage, s3, faults):
        for run in faults.explore("s3:SlowDown"):
            with run:
                storage.reset()
                assert "Contents" not in s3.list_objects_v2(Bucket="photos")
                s3.put_object(Bucket="photos", Key="cat", Body=b"meow")
    """
    )


def test_asked_for_by_name(with_s3):
    """Collection cannot see it; the marker reaches it and it is emptied all the same."""
    with_s3(
        """
    @pytest.fixture
    def late(request):
        client = connect(request.getfixturevalue("faultinject_store")("s3"))
        assert names(client) == []
        client.create_bucket(Bucket="photos")
        yield client
        client.close()

    @pytest.mark.faultinject("s3:SlowDown", times=1)
    @pytest.mark.parametrize("number", range(2))
    def test_one(request, faults, number):
        assert names(request.getfixturevalue("late")) == ["photos"]
        assert faults.injected == 1
    """.replace("@pytest.fixture\n    def storage(faultinject_store)", "def unused(faultinject_store)"),
        2,
    )


@pytest.mark.slow
def test_asked_for_by_name_in_a_wider_fixture(passes):
    """Data of a wider fixture that asks by name is not the test's."""
    passes(
        """
        import httpx
        import pytest

        @pytest.fixture(scope="module")
        def url(request):
            url = request.getfixturevalue("faultinject_store")("s3").url
            assert httpx.put(f"{url}/photos").status_code == 200
            return url

        @pytest.mark.parametrize("number", range(2))
        def test_one(url, number):
            assert httpx.head(f"{url}/photos").status_code == 200
            assert httpx.head(f"{url}/films").status_code == 404
            assert httpx.put(f"{url}/films").status_code == 200
    """,
        2,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vendor", "says"),
    [
        ("qingstore", "'qingstore' is not a vendor; did you mean qingstor?"),
        ("aws", "'aws' is not a vendor; did you mean s3?"),
        ("b2", "the embedded store does not speak b2; it speaks azure-blob, bos, *"),
        (None, "None is not a vendor; give an id as text, such as 'cos'"),
    ],
)
def test_unknown_vendors(shows, vendor, says):
    """An unknown vendor is refused with the nearest name or all; the traceback ends in the test."""
    result = shows(
        f"""
        def test_one(faultinject_store):
            faultinject_store({vendor!r})
        """,
        [f"E*{says.replace('[', '[[]')}"],
    )
    result.stdout.no_fnmatch_line("*faultinject/*.py:*")


def test_a_wrong_variable_is_named(shows, monkeypatch):
    """A wrong variable fails the test that starts the store, in words."""
    monkeypatch.setenv("FAULTINJECT_ENDPOINT", "http://storage.example.com")
    shows(
        """
        def test_one(faultinject_store):
            faultinject_store("s3")
        """,
        ["E*FAULTINJECT_ENDPOINT: *is not a host suffix*"],
    )


def test_nothing_stays_behind(with_s3):
    """No thread and no socket is left.

    Though a client keeps its connection, one hangs, and another test has failed.
    """
    before = set(threading.enumerate())
    with_s3(
        """
    import socket

    @pytest.fixture(scope="session", autouse=True)
    def kept():
        kept = []
        yield kept
        for each in kept:
            each.close()

    def test_idle(kept, storage):
        kept.append(connect(storage))
        assert names(kept[0]) == []
        kept.append(socket.create_connection((storage.host, storage.port)))

    @pytest.mark.faultinject("hang", bucket="photos")
    def test_hang(kept, storage):
        hanging = socket.create_connection((storage.host, storage.port))
        kept.append(hanging)
        hanging.sendall(b"GET /photos/cat HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        hanging.settimeout(0.3)
        with pytest.raises(TimeoutError):
            hanging.recv(1)

    """,
        2,
    )
    # What lingers behind a fault goes by itself.
    left = [each for each in threading.enumerate() if each not in before and "faultinject" not in each.name]
    assert left == []


@pytest.mark.slow
def test_xdist(project):
    """Each xdist worker has a store of its own."""
    project.makepyfile("""
        import httpx
        import pytest

        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.faultinject("s3:SlowDown", times=1, bucket="photos")
        def test_one(faultinject_store, number):
            url = faultinject_store("s3").url
            print("store:", url)
            assert [httpx.put(f"{url}/photos").status_code for _ in range(2)] == [503, 200]
            assert httpx.get(f"{url}/photos/cat").status_code == 404
            assert httpx.put(f"{url}/photos/cat", content=b"x").status_code == 200
    """)
    result = project.runpytest_subprocess(*WITHOUT, "-p", "xdist", "-n2", "-rA", "--dist=load")
    result.assert_outcomes(passed=6)
    assert len({line for line in result.stdout.lines if line.startswith("store: ")}) == 2


@pytest.mark.slow
def test_projects_without_it_do_not_load_it(project):
    """The engine's server and store are imported by those alone that use the fixture."""
    project.makepyfile("""
        import sys

        def test_one():
            assert not [each for each in sys.modules if each.startswith(("faultinject.store", "faultinject.server"))]
    """)
    project.runpytest_subprocess(*WITHOUT).assert_outcomes(passed=1)


BESIDE_STORE = """
import boto3
import pytest
from flask import Flask
from fastapi import FastAPI
from fastapi.testclient import TestClient

flask, fastapi = Flask(__name__), FastAPI()

@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)

@pytest.fixture
def s3(faultinject_store):
    client = boto3.client("s3", **faultinject_store("s3").client_kwargs)
    client.create_bucket(Bucket="photos")
    yield client
    client.close()

def store():
    flask.config["S3"].put_object(Bucket="photos", Key="cat", Body=b"meow")

@flask.put("/photos/<name>")
def of_flask(name):
    store()
    return "", 201

@fastapi.put("/photos/{name}", status_code=201)
def of_fastapi(name):
    store()

@pytest.fixture(params=["flask", "fastapi"])
def web(request, s3):
    flask.config["S3"] = s3
    return flask.test_client() if request.param == "flask" else TestClient(fastapi)
"""
MET = "a fault met PUT /photos/cat of your own app; add host=127.0.0.1 to inject at the store alone"


def test_a_route_with_the_name_of_the_bucket(run):
    """A fault that meets the app instead of the store says so first, and how to name the store."""
    result = run(
        BESIDE_STORE
        + """
@pytest.mark.faultinject("s3:SlowDown", bucket="photos", times=1)
def test_marked(web):
    assert web.put("/photos/cat").status_code == 201

@pytest.mark.faultinject("s3:SlowDown", bucket="photos", times=1)
def test_that_passes(web):
    assert web.put("/photos/cat").status_code == 503

@pytest.mark.faultinject_explore("s3:SlowDown,bucket=photos")
def test_explored(web):
    assert web.put("/photos/cat").status_code == 201

@pytest.mark.faultinject("s3:SlowDown", bucket="photos", times=1, host="127.0.0.1")
def test_the_store_alone(web):
    assert web.put("/photos/cat").status_code == 201

@pytest.mark.faultinject("http:503", path="/photos/*", times=1)
def test_the_app_is_meant(web):
    assert web.put("/photos/cat").status_code == 201
""",
        "-Wdefault",
    )
    result.assert_outcomes(passed=4, failed=6, warnings=2)
    assert result.stdout.str().count(f"PytestWarning: faultinject: {MET}\n") == 1  # for both
    assert result.stdout.str().count(f"{MET}\n") == 5
    result.stdout.fnmatch_lines(["*- faultinject -*", MET, "seed *"])
