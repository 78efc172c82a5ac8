"""Vendors, rows and groups are found by name, and a wrong name says what would be right."""

import csv
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

import faultinject.vendors
from faultinject import Vendor, vendors
from faultinject.exceptions import UnknownDocumentedError, UnknownVendorError
from tests.first_vendors import FIRST_VENDORS
from tests.rows import each_row

PACKAGE = Path(faultinject.vendors.__file__).parent.parent
VENDORS = vendors.names()
ROWS = [row for vendor in VENDORS for row in vendors.get(vendor).errors]


def test_names_are_the_built_vendors():
    """Every folder of the catalogue is a vendor, by its id with hyphens, sorted."""
    folders = [each.parent.name for each in PACKAGE.glob("vendors/*/errors.csv")]
    assert vendors.names() == vendors.own_names() == tuple(sorted(each.replace("_", "-") for each in folders))
    assert {*FIRST_VENDORS, "s3"} < {*VENDORS}


def test_throttle_groups():
    """Throttling is what the words say, whatever the status."""
    expected = {
        "azure-blob": ["ServerBusy", "SnapshotOperationRateExceeded"],
        "b2": ["too_many_requests"],
        "bos": ["SlowDown"],
        "cos": ["ServiceUnavailable", "SlowDown"],
        "gateway": ["TooManyRequests"],
        "gcs": ["rateLimitExceeded"],
        "gcs-xml": ["SlowDown"],
        "jdcloud": ["SlowDown"],
        "jss": ["SlowDown"],
        "kodo": ["573"],
        "kodo-s3": ["ServiceUnavailable", "SlowDown"],
        "minio": ["SlowDownRead", "SlowDownWrite", "RequestTimeout", "TooManyRequests"],
        "obs": ["TooManyRequests", "SlowDown"],
        "oss": (
            "DownloadTrafficRateLimitExceeded UploadTrafficRateLimitExceeded MetaOperationQpsLimitExceeded"
            " TotalQpsLimitExceeded ActiveRequestLimitExceeded CpuLimitExceeded"
        ).split(),
        "qingstor": ["fetch_throttled"],
        "qiniu-mix": ["ServiceUnavailable", "SlowDown"],
        "r2": ["TooManyRequests"],
        "rgw": ["SlowDown", "Rate_Limited"],
        "s3": ["SlowDown"],
        "swift": ["529", "498", "ServiceUnavailable", "SlowDown"],
        "tos": (
            "ExceedAccountQPSLimit ExceedAccountRateLimit ExceedBucketQPSLimit ExceedBucketRateLimit"
            " TooManyRequests SlowDown"
        ).split(),
    }
    assert {
        each: [row.label for row in vendors.get(each).group("@throttle")] for each in expected
    } == expected


@each_row("vendor", VENDORS)
def test_groups_that_hold_any(vendor):
    """Those that a form offers are those that a rule can name."""
    found = vendors.get(vendor)
    named = []
    for name in ("@all", "@server", "@client", "@throttle", "@retryable"):
        with suppress(UnknownDocumentedError):
            named += [name] if found.group(name) else []
    assert list(found.groups) == named


def test_rows_outside_every_group():
    """Successes, redirects and the row without a status are injected only when named."""
    outside = [row.address for row in ROWS if row.status is None or row.status < 400]
    assert [each for each in outside if each.partition(":")[0] in FIRST_VENDORS] == [
        "cos:InvalidAddressingHeader",
        "cos:PermanentRedirect",
        "cos:Redirect",
        "cos:TemporaryRedirect",
        "qiniu-mix:InvalidAddressingHeader",
        "qiniu-mix:MissingAttachment",
        "qiniu-mix:PermanentRedirect",
        "qiniu-mix:Redirect",
        "qiniu-mix:TemporaryRedirect",
    ]
    grouped = {row.address for vendor in VENDORS for row in vendors.get(vendor).group("@all")}
    assert not grouped & {*outside}


def test_unknown_and_empty_groups(tmp_path, monkeypatch):
    """A group that does not exist, or holds nothing, is an error that says which."""
    with pytest.raises(UnknownDocumentedError) as caught:
        vendors.get("cos").group("@slow")
    assert str(caught.value) == (
        "cos:@slow is not a group; the groups are @all, @server, @client, @throttle, @retryable"
    )
    folder = tmp_path / "acme_of_one_row"
    folder.mkdir()
    (folder / "__init__.py").touch()
    header = (
        "code,status,message,message_source,description,note,retryable,retryable_words,category,source,row"
    )
    (folder / "errors.csv").write_text(f"{header}\nNoSuchKey,404,None,doc,,,unstated,,not-found,its page,1\n")
    monkeypatch.syspath_prepend(tmp_path)
    acme = Vendor(
        id="acme", title="ACME", content_type="text/plain", template="x", escape="text", package=folder.name
    )
    assert acme.groups == ("@all", "@client")
    with pytest.raises(
        UnknownDocumentedError, match=r"^acme:@retryable is empty: acme documents no such error$"
    ):
        acme.group("@retryable")


@each_row("vendor", VENDORS)
def test_address_finds_its_row(vendor):
    """The address of a row leads back to it."""
    for row in vendors.get(vendor).errors:
        assert vendors.find(row.address) is row
        fields = row.to_dict()
        assert fields == {name: getattr(row, name) for name in fields}


@pytest.mark.parametrize(
    ("given", "address"),
    [("cos:SlowDown/1", "cos:SlowDown"), ("cos:InvalidRequest/08", "cos:InvalidRequest/8")],
)
def test_row_numbers_are_numbers(given, address):
    """`/1` is the bare code, and a leading zero changes nothing."""
    assert vendors.find(given).address == address


@each_row(
    ("address", "message"),
    [
        ("cos:Slowdown", "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?"),
        (
            "jss:ServiceUnavailable",
            "jss:ServiceUnavailable is not a documented error of jss; s3:ServiceUnavailable,"
            " bos:ServiceUnavailable, cos:ServiceUnavailable and 11 more are documented",
        ),
        (
            "cos:fetch_throttled",
            "cos:fetch_throttled is not a documented error of cos; qingstor:fetch_throttled is documented",
        ),
        (
            "jss:NoSuchBucketPolicy",
            "jss:NoSuchBucketPolicy is not a documented error of jss; did you mean jss:NotSuchBucketPolicy?"
            " (s3:NoSuchBucketPolicy, cos:NoSuchBucketPolicy, minio:NoSuchBucketPolicy and 5 more are documented)",
        ),
        (
            "s3:BlobNotFound",
            "s3:BlobNotFound is not a documented error of s3; azure-blob:BlobNotFound is documented",
        ),
        (
            "qingstor:zzz",
            "qingstor:zzz is not a documented error of qingstor; 'faultinject vendors qingstor' lists them",
        ),
        (
            "qingstor:bad_request",
            "qingstor:bad_request is not a documented error of qingstor; did you mean qingstor:invalid_request?"
            " (b2:bad_request is documented)",
        ),
        (
            "rgw:Rate Limited",
            "rgw:Rate Limited is not a documented error of rgw; did you mean rgw:Rate_Limited?",
        ),
        ("cos:InvalidRequest/9", "cos:InvalidRequest/9: cos documents 8 rows of InvalidRequest"),
        ("cos:SlowDown/0", "cos:SlowDown/0: cos documents 1 row of SlowDown"),
        ("cos:SlowDown/x", "cos:SlowDown/x: cos documents 1 row of SlowDown"),
        ("cos:SlowDown/", "cos:SlowDown/: cos documents 1 row of SlowDown"),
    ],
)
def test_unknown_errors(address, message):
    """A code or row that is not documented names the nearest, and the vendors that have it."""
    with pytest.raises(UnknownDocumentedError) as caught:
        vendors.find(address)
    assert str(caught.value) == message


KNOWN = f"there are {', '.join(VENDORS)}"


@each_row(
    ("id", "message"),
    [
        ("qiniu", "'qiniu' is not a vendor; did you mean qiniu-mix, kodo or kodo-s3?"),
        ("aws", "'aws' is not a vendor; did you mean s3?"),
        ("azure", "'azure' is not a vendor; did you mean azure-blob?"),
        ("Aliyun", "'Aliyun' is not a vendor; did you mean oss?"),
        ("gcp", "'gcp' is not a vendor; did you mean gcs or gcs-xml?"),
        ("google", "'google' is not a vendor; did you mean gcs or gcs-xml?"),
        ("jd", "'jd' is not a vendor; did you mean jdcloud or jss?"),
        ("tencent", "'tencent' is not a vendor; did you mean cos?"),
        ("coss", "'coss' is not a vendor; did you mean cos or oss?"),
        ("azure_blob", "'azure_blob' is not a vendor; did you mean azure-blob?"),
        ("qiniu_mix", "'qiniu_mix' is not a vendor; did you mean qiniu-mix?"),
        ("COS", "'COS' is not a vendor; did you mean cos?"),
        ("vendor", f"'vendor' is not a vendor; {KNOWN}"),
        ("envelope", f"'envelope' is not a vendor; {KNOWN}"),
        ("../cos", "'../cos' is not a vendor; did you mean cos?"),
        ("", f"'' is not a vendor; {KNOWN}"),
    ],
)
def test_unknown_vendors(id, message):
    """An unknown id gets the nearest vendors, or all; modules of the package are none."""
    with pytest.raises(UnknownVendorError) as caught:
        vendors.get(id)
    assert str(caught.value) == message


def test_address_without_a_vendor():
    """A bare code is not an address."""
    with pytest.raises(UnknownVendorError, match=r"^'SlowDown' is not of the form vendor:Code$"):
        vendors.find("SlowDown")


PROBE = """
import sys
sys.path.insert(0, {path!r})
import faultinject.vendors as vendors
before = set(sys.modules)
for id in {ids}:
    vendor = vendors.get(id)
    size = len(vendor.read_template(vendor.form))
    print(id, len(vendor.errors), size, len(vendor.make_ids(bytes(64), 0)), len(vendor.extras))
    for form in vendor.forms.values():
        print(form.template, len(vendor.read_template(form)))
print(sorted({{"pkgutil", "inspect", "csv", "json", "re", "typing", "pathlib"}} & (set(sys.modules) - before)))
print(vendors.names())
"""


def told_by_probe():
    """The sizes of the files in the vendors' folders."""
    lines = []
    for id in VENDORS:
        vendor = vendors.get(id)
        folder = PACKAGE / "vendors" / id.replace("-", "_")
        extras = folder / "extras.csv"
        sizes = (
            len([*csv.reader((folder / "errors.csv").read_text().splitlines())]) - 1,
            (folder / vendor.form.template).stat().st_size,
            len(vendor.make_ids(bytes(64), 0)),
            len([*csv.reader(extras.read_text().splitlines())]) - 1 if extras.is_file() else 0,
        )
        lines.append(" ".join(map(str, (id, *sizes))))
        templates = [each.template for each in vendor.forms.values()]
        lines += [f"{each} {(folder / each).stat().st_size}" for each in templates]
    return "".join(f"{line}\n" for line in (*lines, "[]", VENDORS))


@pytest.mark.parametrize(
    "packed", [pytest.param(False, marks=pytest.mark.slow, id="folder"), pytest.param(True, id="zip")]
)
def test_catalogue_from_a_zip_and_without_heavy_imports(packed, tmp_path):
    """The catalogue is read from a zip too, and a known vendor imports no slow module."""
    path = tmp_path / "package.zip" if packed else PACKAGE.parent
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            for file in [PACKAGE, *PACKAGE.rglob("*")]:
                if "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(PACKAGE.parent))
    probe = [sys.executable, "-I", "-S", "-c", PROBE.format(path=os.fspath(path), ids=VENDORS)]
    assert subprocess.check_output(probe, text=True) == told_by_probe()


def test_a_vendor_whose_module_is_broken_says_so(tmp_path, monkeypatch):
    """A failed import in a vendor's file is not taken for a missing vendor."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "vendor.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.setattr(vendors, "__path__", [*vendors.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        vendors.get("broken")


def test_files_are_read_of_a_package_that_was_forgotten(monkeypatch):
    """A test runner may drop modules that it has seen; the data are still there."""
    from faultinject.vendors.vendor import read

    monkeypatch.delitem(sys.modules, "faultinject.vendors.gateway")
    assert read("faultinject.vendors.gateway", "errors.csv").startswith(b"code,status,message")
