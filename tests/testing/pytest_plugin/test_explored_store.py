"""`faultinject_explore` compares the final content of `faultinject_store` between runs.

With the runs without faults.
"""

import pytest

pytestmark = pytest.mark.live

TEST = """
    import pytest
    import requests

    @pytest.fixture
    def films(faultinject_store):
        url = faultinject_store("s3").url + "/films"
        requests.put(url, timeout=60)
        return url

    MARK
    def test_it(films, faults):
        BODY
"""
LOST = "object lost: /films/cat is not there; without faults it has 4 bytes"
KEPT = "not removed: /films/cat is still there; without faults it is removed"


@pytest.fixture
def explored(shows):
    """Explore a body; expect these lines and one failed test, or one that passed."""

    def explored(body, lines=(), mark="@pytest.mark.faultinject_explore('s3:SlowDown')", *, passed=False):
        source = TEST.replace("MARK", mark).replace("BODY", body)
        return shows(source, lines, passed=passed, failed=not passed)

    return explored


def test_a_write_that_nobody_repeats(explored):
    """The test asserts nothing; the store is a judge of its own."""
    explored(
        'requests.put(films + "/cat", "meow", timeout=60)',
        [
            "1 request without faults, 1 fault; 1 run in *, 1 failed",
            LOST,
            "  when request 1 (PutObject /films/cat) gets: s3:SlowDown",
        ],
    )


@pytest.mark.parametrize(
    ("texts", "passed"),
    [
        ("meow meow wuff miau", True),
        pytest.param("meow meow wuff meow meow meow", False, marks=pytest.mark.slow),
    ],
)
def test_a_content_that_two_runs_have_in_common_by_chance(explored, texts, passed):
    """Before an accusation by comparison alone, one more run without faults drops what varies."""
    body = f"""
        runs = vars(pytest).setdefault("runs_of_mine", [])
        runs.append(1)
        text = {texts.split()}[min(len(runs), {len(texts.split())}) - 1]
        requests.put(films + "/cat", text, timeout=60)
        requests.head(films + "/cat", timeout=60)"""
    explored(body, mark="@pytest.mark.faultinject_explore('s3:SlowDown,method=HEAD')", passed=passed)
    # A machine that was busy may compare one more run; the last text is that of all later runs.
    assert len(vars(pytest).pop("runs_of_mine")) >= len(texts.split())


def test_what_a_program_of_a_test_prints(explored):
    """It is compared as that of a command is."""
    body = """
        requests.put(films + "/cat", "meow", timeout=60)
        faults.run(f"curl -s {films}/cat | wc -c")"""
    lines = ['*warning: other output: it prints "2"; without faults it prints "4"*']
    explored(body, lines, "@pytest.mark.faultinject_explore('truncate,method=GET')", passed=True)


@pytest.mark.parametrize(
    ("key", "fault", "said"),
    [
        pytest.param("cat", "s3:AccessDenied,method=DELETE", KEPT, marks=pytest.mark.slow),
        ("cat", "s3:SlowDown,method=HEAD", KEPT),
        ("dog", "s3:SlowDown,method=HEAD", None),
    ],
)
def test_what_a_pause_has_set_up(explored, key, fault, said):
    """Set-up counts as from before the run, as a fixture's; the run's own objects do not."""
    body = f"""
        requests.put(films + "/dog", "wuff", timeout=60)
        with faults.pause():
            requests.put(films + "/cat", "meow", timeout=60)
            with faults.pause():
                requests.get(films + "/cat", timeout=60)
        if requests.head(films, timeout=60).ok:
            requests.delete(films + "/{key}", timeout=60)"""
    left = "*warning: left behind: /films/dog (4 bytes) is there, and not without faults*"
    explored(body, [said or left], f"@pytest.mark.faultinject_explore({fault!r})", passed=said is None)


SUPPRESSED = """
        import contextlib
        with contextlib.suppress(requests.HTTPError), faults.call("put"):
            requests.put(films + "/cat", "meow", timeout=60).raise_for_status()
"""
RAISED = 'requests.put(films + "/cat", "meow", timeout=60).raise_for_status()'
APP = """
        from werkzeug.test import Client
        from faultinject import WSGIFaultMiddleware

        def app(environ, start_response):
            stored = requests.put(films + "/cat", "meow", timeout=60).status_code == 200
            start_response("200 OK" if stored else "503 Not Stored", [])
            return [b""]

        Client(WSGIFaultMiddleware(app, [])).post("/cats")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "more"),
    [
        (SUPPRESSED, ""),
        (RAISED, ", allow=requests.HTTPError"),
        (APP, ""),
        ('requests.put(films + "/cat", "meow", timeout=60)', ", ignore='/films/cat'"),
        ('requests.put(films + "/cat", "meow", timeout=60)', ", ignore=['object lost']"),
        ("for _ in range(2): requests.put(films + '/cat', 'meow', timeout=60)", ""),
    ],
    ids=["named call", "allowed", "the app's own answer", "an object", "a check", "tried again"],
)
def test_who_is_told(explored, body, more):
    """An error that somebody is told is none that is hidden; what is ignored is not compared."""
    explored(body, mark=f"@pytest.mark.faultinject_explore('s3:SlowDown,bucket=films'{more})", passed=True)


DOWNLOAD = """
    import boto3
    import pytest
    from botocore.exceptions import FlexibleChecksumError

    @pytest.fixture
    def s3(faultinject_store):
        client = boto3.client("s3", **faultinject_store("s3").client_kwargs)
        client.create_bucket(Bucket="films")
        client.put_object(Bucket="films", Key="cat", Body=b"meow")
        yield client
        client.close()
"""
FLASK = """
    from flask import Flask

    @pytest.fixture
    def get(s3):
        app = Flask(__name__)

        @app.get("/documents/cat")
        def download():
            try:
                return s3.get_object(Bucket="films", Key="cat")["Body"].read()
            except FlexibleChecksumError:
                return REFUSED

        return app.test_client().get
"""
FASTAPI = """
    from fastapi import FastAPI, Response
    from fastapi.testclient import TestClient

    @pytest.fixture
    def get(s3):
        app = FastAPI()

        @app.get("/documents/cat")
        async def download():
            try:
                return Response(s3.get_object(Bucket="films", Key="cat")["Body"].read())
            except FlexibleChecksumError:
                return Response(*REFUSED)

        return TestClient(app).get
"""


@pytest.mark.parametrize(
    ("app", "refused", "passed"),
    [
        (FLASK, "'wrong bytes', 502", True),
        pytest.param(FASTAPI, "'no such document', 404", True, marks=pytest.mark.slow),
        (FASTAPI, "'meow', 200", False),
        pytest.param(FLASK, "'meow', 200", False, marks=pytest.mark.slow),
    ],
)
def test_an_app_that_refuses_corrupt_bytes(shows, app, refused, passed):
    """It took no wrong bytes, whatever its status: its client got an error."""
    test = """
    @pytest.mark.faultinject_explore("corrupt,bucket=films")
    def test_it(get):
        get("/documents/cat")
"""
    shows(DOWNLOAD + app.replace("REFUSED", f"({refused})") + test, passed=passed, failed=not passed)


@pytest.mark.slow
def test_a_unittest(run):
    """Its fixtures are others, and its method alone is judged."""
    run(
        """
        import unittest
        import pytest
        import requests

        @pytest.mark.usefixtures("faultinject_store")
        @pytest.mark.faultinject_explore("s3:SlowDown,bucket=films")
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def films(self, faultinject_store):
                self.url = faultinject_store("s3").url + "/films"
                requests.put(self.url, timeout=60)

            def test_it(self):
                requests.put(self.url + "/cat", "meow", timeout=60)
        """
    ).stdout.fnmatch_lines([LOST])


COPY = """
        import contextlib
        with faults.pause():
            requests.put(films + "/cat", "a film of a cat", timeout=60)
        for _ in range(3):
            with contextlib.suppress(requests.RequestException):
                first = requests.get(films + "/cat", headers={"Range": "bytes=0-4"}, timeout=60)
                rest = requests.get(films + "/cat", headers={"Range": "bytes=5-"}, timeout=60)
                if {first.status_code, rest.status_code} == {206} and COMPARED:
                    break
        COPIED
"""
COPIES = """
        requests.put(films + "/copy", first.content + rest.content, timeout=60)
"""
ETAGS = 'first.headers["ETag"] == rest.headers["ETag"]'
MIXED = "mixed versions: requests 1 and 2 read two versions of /films/cat, and no error was reported"
MOVED = "@pytest.mark.faultinject_explore('s3,method=GET', without=['s3:ExpiredToken', 'hang'])"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mark", "compared", "copied", "lines"),
    [
        (MOVED, ETAGS, COPIES, []),
        (MOVED, "True", COPIES, [MIXED]),
        (
            MOVED,
            ETAGS,
            f"if first.content != b'a fil': return{COPIES}",
            [LOST.replace("cat", "copy")[:40] + "*"],
        ),
    ],
    ids=["of one version", "of two versions", "not copied"],
)
def test_an_object_that_another_writer_replaced(explored, mark, compared, copied, lines):
    """A replaced object, and copies of it, may differ; an object that is missing is lost."""
    explored(COPY.replace("COMPARED", compared).replace("COPIED", copied), lines, mark, passed=not lines)


ROW = """
        import uuid
        requests.put(f"{films}/{NAME}", "day 7", timeout=60).raise_for_status()
"""
TWICE = (
    "lost answer: wrote twice: request 1 (PUT) was carried out and its answer lost; the job failed and was run again:"
    " there are 2 objects /films/*, without faults 1"
)
AGAIN = "@pytest.mark.faultinject_explore('reset,when=after', 's3:SlowDown,bucket=films', again=True)"


@pytest.mark.slow
def test_a_job_that_is_run_again(explored):
    """Its name says whether a row is the same; without `again` nothing is compared.

    Without `again` it has reported an error.
    """
    lines = [
        "1 request without faults, 2 faults; 2 runs in *, 1 failed, 1 gave up cleanly",
        TWICE,
        "    1 PutObject  PUT /films/*  <- reset after it was carried out",
        "    failed, and run again:",
        "    1 PutObject  200 PUT /films/*",
    ]
    wrong, right = (ROW.replace("NAME", each) for each in ("uuid.uuid4()", "'day-7'"))
    explored(wrong, lines, AGAIN)
    explored(right, ["*2 runs in *, 0 failed, 2 gave up cleanly"], AGAIN, passed=True)
    explored(wrong, mark=AGAIN.replace("True", "False"))


@pytest.mark.slow
@pytest.mark.parametrize("again", ["raise OSError('again')", "assert False, 'twice'"])
def test_a_second_run_that_fails(explored, again):
    """An error of the second run fails it; so does an assertion of the first.

    An assertion is no error that a job reports.
    """
    body = f"""
        answer = requests.put(films + "/cat", "meow", timeout=60).status_code
        with faults.pause():
            seen = requests.put(films + "/seen", "x", headers={{"If-None-Match": "*"}}, timeout=60).status_code == 412
        if seen:
            {again}
        if answer != 200:
            raise OSError(answer)
    """
    mark = "@pytest.mark.faultinject_explore('s3:SlowDown,bucket=films', again=True, ignore='/films/seen')"
    explored(body, ["*1 run in *, 1 failed", "    failed, and run again:"], mark)
    result = explored(body.replace("raise OSError(answer)", "assert False"), mark=mark)
    assert "run again" not in result.stdout.str()


OWN_APP = """
    import boto3
    import pytest
    from botocore.config import Config
    from flask import Flask, request

    @pytest.fixture
    def client(faultinject_store):
        arguments = faultinject_store("s3").client_kwargs
        s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}), **arguments)
        s3.create_bucket(Bucket="films")
        app = Flask("films")

        @app.put("/titles/<name>")
        def put(name):
            s3.put_object(Bucket="films", Key=name, Body=request.data)
            return ""

        return app.test_client()

    @pytest.mark.faultinject_explore("http:503")
    def test_it(client):
        assert client.put("/titles/cat", data=b"meow").status_code == 200
"""


def test_the_requests_of_an_own_app_have_no_names_of_operations(run):
    """Its route may look like an object's address; it is shown by method and path."""
    result = run(OWN_APP)
    result.assert_outcomes(failed=1)
    lines = [line.strip() for line in result.stdout.lines]
    assert "when request 1 (PUT /titles/cat) gets: http:503" in lines
    assert "1 -  503 PUT /titles/cat  <- http:503" in lines
    assert "when request 2 (PutObject /films/cat) gets: http:503" in lines
    assert "2 PutObject  503 PUT /films/cat  <- http:503" in lines
