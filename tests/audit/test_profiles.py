"""The promises of clients, as data."""

import re

import pytest

from faultinject.audit.profiles import detect, get, names
from faultinject.exceptions import ConfigurationError
from tests.rows import each_row

BOTO3 = "Boto3/{0} md/Botocore#{0} ua/2.1 os/linux lang/python#3.11.7 m/E,b cfg/retry-mode#{1} Botocore/{0}"

CLI = "md/Botocore#1.43.11 ua/2.1 os/linux#6.18 md/arch#x86_64 lang/python#3.11.7 m/b,Z,N,g,D"

MINE = """
title = "Ours"
reference = "the handbook"
attempts = 5
budget = true
distribution = "uniform"
[waits.throttle]
base = "1s"
factor = 3
cap = "5s"
[waits.any]
shortest = ["100ms"]
longest = ["200ms", "400ms"]
[quota]
any = 7
[hints]
seconds = "10s"
[[clients]]
user-agent = "ours/"
since = "2.1"
below = "3"
"""


@each_row("name", names())
def test_every_profile_says_who_promises_what(name):
    """A title for people, a reference to look up, nothing that makes no sense."""
    profile = get(name)
    assert (profile.name, profile.title != name, profile.reference != "") == (name, True, True)
    bounds = [
        profile.bounds(kind, retry) or (0, 0)
        for kind in ("throttle", "server", "transport")
        for retry in range(1, 40)
    ]
    assert [each for each in bounds if not 0 <= each[0] <= each[1]] == []
    promises = (profile.attempts, profile.most_attempts, profile.waits, profile.quota, profile.distribution)
    promised = any(promises) or name == "rfc"
    # It names a version, a commit or an address, unless nothing is promised.
    assert re.search(r"https://|\d|Engineering", profile.reference)
    assert promised or re.search(r"promise[sd]?\b", profile.reference)


@each_row(
    ("user_agent", "expected"),
    [
        (BOTO3.format("1.44.5", "standard"), "aws-2026"),
        (BOTO3.format("2.0.0", "standard"), "aws-2026"),
        (BOTO3.format("1.43.117", "standard"), "aws-legacy"),
        (BOTO3.format("1.44.5", "legacy"), "botocore-legacy"),
        (BOTO3.format("1.44.5", "adaptive"), "rfc"),
        (BOTO3.format("dev", "standard"), "rfc"),
        ("cos-python-sdk-v5.1.9.44", "cos"),
        ("qingstor-sdk-python/2.6.0  (Python v3.11.7; linux)", "qingstor"),
        ("gcloud-python/3.17.1  gl-python/3.11.7 gax/2.44.0 gccl/3.17.1 ", "gcs"),
        ("azsdk-python-storage-blob/12.31.1 Python/3.11.7", "azure"),
        (f"aws-cli/1.45.11 {CLI} cfg/retry-mode#legacy botocore/1.43.11", "botocore-legacy"),
        (f"aws-cli/1.45.11 {CLI} cfg/retry-mode#standard botocore/1.43.11", "aws-legacy"),
        (f"aws-cli/1.46.5 {CLI} cfg/retry-mode#standard botocore/1.44.5", "aws-2026"),
        (f"aiobotocore/2.25.0 {CLI} cfg/retry-mode#legacy botocore/1.40.49", "botocore-legacy"),
        ("aws-cli/2.40.1 md/awscrt#0.28.2 ua/2.1 os/linux#6 cfg/retry-mode#standard md/command#s3.cp", "aws-2026"),
        ("aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6 cfg/retry-mode#standard md/command#s3.cp", "aws-legacy"),
        ("aws-sdk-js/3.1170.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.1.0 api/s3#3.1170.0 m/E,N", "aws-2026"),
        ("aws-sdk-js/3.1048.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.1.0 api/s3#3.1048.0 m/E,N", "aws-sdk-js"),
        ("aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.1.0 api/s3#3.1164.0 m/E,N", "aws-sdk-js"),
        (  # of the package 3.1166.0
            "aws-sdk-js/3.1165.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.1.0 api/s3#3.1165.0 m/E,N",
            "aws-2026",
        ),
        ("aws-sdk-js/3.400.0 ua/2.0 os/linux#6.1 lang/js md/nodejs#18.1.0 api/s3#3.400.0", "rfc"),
        ("aws-sdk-go-v2/1.48.0 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux api/s3#1.90.0 m/E,G", "aws-2026"),
        ("aws-sdk-go-v2/1.39.2 ua/2.1 os/linux lang/go#1.25 md/GOOS#linux api/s3#1.88.3 m/E,G", "aws-sdk-go"),
        ("aws-sdk-java/2.44.3 md/io#sync md/http#Apache ua/2.1 api/S3#2.44.x os/Linux#6.1 lang/java#21 m/D", "aws-sdk-java"),
        ("aws-sdk-java/1.12.780 Linux/6.1 OpenJDK_64-Bit_Server_VM/21 java/21 cfg/retry-mode/legacy", "aws-sdk-java-1"),
        ("aws-sdk-cpp/1.11.930 ua/2.1 md/aws-crt#0.34 os/Linux#6.1 md/arch#x86_64 lang/c++#C++17 api/S3", "aws-2026"),
        ("aws-sdk-cpp/1.11.594 ua/2.1 md/aws-crt#0.32 os/Linux#6.1 md/arch#x86_64 lang/c++#C++17 api/S3", "aws-sdk-cpp"),
        ("aws-sdk-rust/1.3.9 ua/2.1 api/s3/1.108.0 os/linux lang/rust/1.90.0 m/E", "aws-sdk-rust"),
        ("CRTS3NativeClient/0.1.x platform/linux", "aws-crt-s3"),
        ("azsdk-js-azure-storage-blob/12.29.1 core-rest-pipeline/1.22.1 Node/24.1.0 OS/(x64-Linux-6.1)", "azure-js"),
        ("azsdk-js-storageblob/12.17.0 (NODE-VERSION v20.9.0; Linux 6.1)", "azure-js"),
        ("azsdk-java-azure-storage-blob/12.31.1 (21.0.1; Linux; 6.1)", "azure-java"),
        ("azsdk-net-Storage.Blobs/12.25.0 (.NET 9.0.0; Debian GNU/Linux 12)", "azure-net"),
        ("azsdk-go-azblob/v1.6.3 (go1.25.1; linux)", "azure-go"),
        ("gcloud-node-storage/7.19.0", "gcs-node"),
        ("object_store/0.14.1", "object-store"),
        ("MinIO (linux; amd64) minio-go/v7.3.0", "minio-go"),
        ("MinIO (linux; amd64) minio-go/v7.0.95 mc/RELEASE.2025-08-13", "minio-go"),
        ("MinIO (Linux; x86_64) minio-py/7.2.20", "minio-py"),
        ("MinIO (linux; x64) minio-js/8.0.7", "minio-js"),
        ("MinIO (linux; x64) minio-js/8.0.6", "rfc"),
        ("MinIO (Linux; amd64) minio-java/9.0.4", "minio-java"),
        ("rclone/v1.68.0", "rclone"),
        ("rclone/v1.67.0", "rfc"),
        ("rclone/", "rfc"),
        ("s3fs/1.97 (commit hash 0b25fb9; OpenSSL)", "s3fs-fuse"),
        ("aliyun-sdk-python/2.19.1(Linux/6.1/x86_64;3.11.7)", "oss2"),
        ("alibabacloud-python-sdk-v2/1.4.1 (Linux/6.1/x86_64;3.11.7)", "oss-v2"),
        ("aliyun-sdk-nodejs/6.23.0 Node.js 24.1.0 on Linux 64-bit", "ali-oss"),
        ("obs-sdk-python/3.26.6", "obs-python"),
        ("obs-sdk-js/3.24.3", "obs-node"),
        ("ve-tos-python-sdk/v2.9.3(linux/x86_64;3.11.7)", "tos-python"),
        ("ve-tos-nodejs-sdk/v2.7.5 (linux/x64;nodejs24.1.0)", "tos-node"),
        ("ve-tos-nodejs-sdk/v2.0.4 (linux/x64;nodejs24.1.0)", "rfc"),
        ("bce-sdk-python/0.9.79/3.11.7 (main, Aug  1 2026)/linux", "bce"),
        ("QiniuPython/7.18.0 (Linux; ) Python/3.11.7", "qiniu-python"),
        ("QiniuNodejs/7.15.5 (Linux; linux; x64; )", "qiniu-node"),
        ("cos-nodejs-sdk-v5-3.0.0", "cos-node"),
        ("cos-nodejs-sdk-v5-2.15.0", "cos-node"),
        ("cos-nodejs-sdk-v5-2.14.5", "rfc"),
        ("backblaze-b2/2.13.1 python/3.11.7", "b2"),
        ("python-swiftclient-4.11.0", "swiftclient"),
        ("curl/8.5.0", "curl"),
        ("PycURL/7.45.3 libcurl/8.5.0 OpenSSL/3.0.19", "rfc"),
        ("Wget/1.21.3", "wget"),
        ("python-requests/2.34.2", "requests"),
        ("python-urllib3/2.8.0", "urllib3"),
        ("Python/3.11 aiohttp/3.14.5", "aiohttp"),
        ("python-httpx/0.28.1", "httpx"),
        ("Python-urllib/3.11", "rfc"),
        ("", "rfc"),
        (None, "rfc"),
    ],
)  # fmt: skip
def test_a_client_is_known_by_its_user_agent(user_agent, expected):
    """By name, version and mode; who is not known is held to the RFCs."""
    assert detect(user_agent).name == expected
    fitting = [name for name in names() if any(each.fits(user_agent or "") for each in get(name).marks)]
    assert fitting == ([] if expected == "rfc" else [expected])


@each_row(
    ("name", "expected"),
    [
        ("aws-2026", ((100,), (35,), (35,), (35,))),
        ("aws-legacy", ((100,), (100,), (100,), (50,))),
        ("aws-sdk-js", ((100,), (35, 50), (35, 50), (35, 50))),
        ("aws-sdk-java", ((), (100,), (100,), ())),
        ("aws-sdk-java-1", ((), (100,), (100,), ())),
        ("aws-crt-s3", ((100,), (100,), (50,), ())),
    ],
)
def test_retries_of_all_calls_in_an_outage(name, expected):
    """The quota is 500 tokens by the cost of a retry; a free retry has no promise.

    A user agent that leaves two retry codes possible leaves both numbers right.
    """
    profile = get(name)
    kinds = ("throttle", "server", "transport", "timeout")
    assert (profile.budget, *map(profile.outage_retries, kinds)) == (True, *expected)


def test_bounds_of_the_new_and_the_old_aws_rules():
    """A throttle waits as before, everything else begins at 50 ms; 20 s are the end."""
    for name, kind, longest in (
        ("aws-2026", "throttle", {1: 1, 2: 2, 5: 16, 6: 20, 99: 20}),
        ("aws-2026", "server", {1: 0.05, 2: 0.1, 3: 0.2}),
        ("aws-legacy", "server", {1: 1, 2: 2, 3: 4}),
    ):
        assert {each: get(name).bounds(kind, each)[1] for each in longest} == longest
    fixed = [get("cos").bounds("server", each) for each in (1, 2, 3, 4)]
    assert (fixed, get("rfc").bounds("server", 1)) == ([(1, 1), (2, 2), (3, 3), (3, 3)], None)


def test_a_profile_of_ones_own(tmp_path):
    """A file says all that the built-in ones can say."""
    (tmp_path / "ours.toml").write_text(MINE)
    found = get(str(tmp_path / "ours.toml"))
    numbers = (found.attempts, found.most)
    assert (found.name, found.title, found.reference, *numbers) == ("ours", "Ours", "the handbook", 5, 5)
    bounds = {kind: [found.bounds(kind, each) for each in (1, 2, 3)] for kind in ("throttle", "server")}
    assert [high for _, high in bounds["throttle"]] == [1, 3, 5]
    assert bounds["server"] == [(0.1, 0.2), (0.1, 0.4), (0.1, 0.4)]
    assert (found.outage_retries("server"), found.hints, found.budget) == ((7,), {"seconds": 10.0}, True)
    fits = found.marks[0].fits
    assert [fits(f"ours/{each}") for each in ("2.0.9", "2.1", "2.1rc1", "2.10", "3.0", "x")] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attempts = ", "not TOML: Invalid value (at end of document)"),
        (
            b"\xff\xfe",
            "cannot read it: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        ("attempt = 2", "there is no key attempt; did you mean attempts?"),
        ("name_of_it = 1", "there is no key name_of_it"),
        ("attempts = true", "Expected `int | null`, got `bool` - at `$.attempts`"),
        ("most-attempts = 0", "Expected `int` >= 1 - at `$.most-attempts`"),
        ('distribution = "normal"', "Invalid enum value 'normal' - at `$.distribution`"),
        ("quota = 3", "Expected `object`, got `int` - at `$.quota`"),
        ("quota.any = []", "Expected `array` of length >= 1 - at `$.quota[...]`"),
        ("hints = {seconds = '1s', date = 1}", 'it must be a duration such as "1s" - at `$.hints[...]`'),
        (
            'waits.serve.base = "1s"',
            "Expected `str` matching regex '^(throttle|server|transport|timeout|any)$' - at `key` in `$.waits`",
        ),
        (
            'waits.throttle.cap = "1s"',
            'it needs base = "1s", or longest = ["1s", "2s"] - at `$.waits[...]`',
        ),
        (
            "waits.transport.base = 1",
            'it must be a duration such as "1s" - at `$.waits[...].base`',
        ),
        (
            'waits.any.base = "1 parsec"',
            "1 parsec is not a duration such as 200ms, 5s, 10m or 1h - at `$.waits[...].base`",
        ),
        (
            'waits = {server = {base = "1s"}, throttle = {base = "1s", shortest = []}}',
            "Expected `array` of length >= 1 - at `$.waits[...].shortest`",
        ),
        ("clients = [3]", "Expected `object`, got `int` - at `$.clients[0]`"),
        ("clients = 3", "Expected `array`, got `int` - at `$.clients`"),
        ('[[clients]]\nsince = "1"', "Object missing required field `user-agent` - at `$.clients[0]`"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path, text, expected):
    """With its place, and what would be right."""
    path = tmp_path / "bad.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        get(str(path))
    assert str(caught.value) == f"{path}: {expected}"


@each_row(
    ("name", "expected"),
    [
        ("aws-2025", "aws-2025 is not a profile; did you mean aws-2026?"),
        ("nothing", f"nothing is not a profile; there are {', '.join(names()[:3])},"),
        ("no/such/file", "no/such/file: cannot read it: No such file or directory"),
    ],
)
def test_a_profile_that_is_not_there_is_named(name, expected):
    """With the nearest one, or all."""
    with pytest.raises(ConfigurationError) as caught:
        get(name)
    assert str(caught.value).startswith(expected)
