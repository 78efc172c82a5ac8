"""The audit on the fixture `faults`: calls, findings and the assertion in a marked test."""

UPLOAD = """
    import pytest

    def upload(client, path):
        for _ in range(3):
            if client.put(path, data=b"meow").status_code == 200:
                return
        raise OSError("gave up")
"""


def test_calls_of_a_test_are_its_own(passes):
    """Equal requests of an earlier test are another call."""
    passes(
        UPLOAD
        + """
    pytestmark = pytest.mark.faultinject("cos:SlowDown")

    @pytest.mark.parametrize("number", range(3))
    def test_one(client, faults, number):
        with pytest.raises(OSError):
            upload(client, "/b/k")
        assert [len(each.attempts) for each in faults.calls] == [3]
    """,
        3,
    )


def test_an_assertion_that_fails(shows):
    """The test fails at its own line, with the finding, and requests numbered as in the table."""
    result = shows(
        UPLOAD
        + """
    @pytest.mark.faultinject("cos:AccessDenied")
    def test_one(client, faults):
        for number in range(3):
            with pytest.raises(OSError), faults.call("upload"):
                upload(client, f"/b/{number}")
        faults.assert_retries(ignore=["backoff"])
        """,
        [
            '>       faults.assert_retries(ignore=[[]"backoff"[]])',
            (
                "E       faultinject.exceptions.RetryAssertionError: ✕ permanent: 3 of 3 calls "
                "retried after 403 AccessDenied *"
            ),
            (
                "E           requests 1 to 3: upload: PUT /b/0: 403 AccessDenied, * its caller saw "
                "an error: OSError: gave up"
            ),
            "9 of 9 requests got a fault",
            "3  *  PUT /b/0  403     rule-1: cos:AccessDenied",
        ],
    )
    result.stdout.no_fnmatch_line("*session.py*")
    result.stdout.no_fnmatch_line("*verdicts.py*")
