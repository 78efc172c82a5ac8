"""A client's report on an error beside the answer: every row of a table, each for its key."""

import re
from functools import wraps
from operator import attrgetter
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from faultinject import Rule, vendors
from tests.pairs import pairs
from tests.rows import each_row

BUCKET, KEY = "photos", "cat pictures/猫&<1>.jpg"
S3_LIKE = ("s3", "minio", "r2", "rgw", "oss", "obs", "cos", "jdcloud", "kodo-s3", "gcs-xml", "swift")
"""Those whose errors are S3's XML, or nearly, and that clients of S3 are used with."""
XML_VENDORS = ("s3", "minio", "rgw", "oss", "obs", "cos", "jdcloud", "kodo-s3")
"""Those whose errors are XML and whose clients may well be AWS's SDKs."""
DIALECT = {"rgw": "", "swift": "s3api"}
"""The dialect in which these vendors answer S3 clients; their other rows are Swift's."""
ID_IN_HEADERS_ALONE = ("r2", "gcs-xml")
PAGES = ("html", "empty")
"""Google's front ends answer with a page, or with nothing: there is no code in it."""


class Told(NamedTuple):
    """The known parts of one error; None for a part that a client does not report."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None

    def but(self, **other):
        """The same but for these."""
        return self._replace(**other)

    def without(self, *names):
        """The same for a client that hides these."""
        return self.but(**dict.fromkeys(names))


EVERYTHING = ("status", "code", "message", "request_id")


def rows_of(vendor, form=None):
    """The rows with an error's status, and those without one, sent with 400, by key.

    Args:
        vendor: its name.
        form: only those of one form, where the vendor answers in several dialects.
    """
    found = vendors.get(vendor).errors
    rows = [row for row in found if (row.status is None or row.status >= 400) and form in (None, row.form)]
    return {f"row-{number}": row for number, row in enumerate(rows)}


def with_calls(rows, calls):
    """Each row with one call, and each call with one row of each status.

    A call treats rows of one status alike.
    """
    return pairs(row=rows, call=calls, alike={"row": lambda row: row.status})


def of_each_row(rows, calls=()):
    """Run a test for each row, which is in force, with one of the calls if there are any."""

    def decorate(test):
        @wraps(test)
        def in_force(row, server, **more):
            server.use(row.address)
            test(row=row, server=server, **more)

        if not calls:
            return each_row("row", rows, ids=attrgetter("label"))(in_force)
        named = each_row(
            ("row", "call"), with_calls(rows, calls), ids=lambda case: f"{case[0].label} by {case[1]}"
        )
        return named(in_force)

    return decorate


def raised(kind, call, *arguments, **named):
    """The error of a call."""
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    return caught.value


def use_all(server, rows, place=lambda key: {"path": f"**/{key}"}, **keys):
    """Every row at once, each for the requests whose place is its key's; gives the rows."""
    server.injector.use(
        [
            Rule(row.address, **place(key), **({} if row.status else {"status": 400}), **keys)
            for key, row in rows.items()
        ]
    )
    server.injector.journal.clear()
    return rows


def sent(server, rows):
    """The last answer to each key; every row was used."""
    last = {(each.key or each.path).rpartition("/")[2]: each for each in server.outcomes}
    return {
        key: Told(row.status or 400, row.code, row.message, last[key].request_id) for key, row in rows.items()
    }


def in_xml(status, body):
    """The status, and the XML part of the body; Azure's message has the id in it."""
    try:
        root = ElementTree.fromstring(body.lstrip("\ufeff"))
    except ElementTree.ParseError:
        return Told(status)
    code, message, request_id = (root.findtext(name) for name in ("Code", "Message", "RequestId"))
    return with_azures_id(Told(status, code, message, request_id))


def with_azures_id(told):
    """The id, which Azure's message ends with, in its own place."""
    found = re.fullmatch(r"(.*)\sRequestId:(\S+)\sTime:\S+", told.message or "", re.DOTALL)
    return told.but(message=found[1], request_id=found[2]) if found else told


def s3_rows(vendor):
    return rows_of(vendor, DIALECT.get(vendor))


def id_header(vendor):
    """The header that has the id, in small letters."""
    return vendors.get(vendor).id_headers[0][0].lower()


def wrong(told, was, rows, hides=lambda row: ()):
    """The rows of which a client tells something else than was sent, but for what it hides."""
    return [
        (row.label, told[key], was[key])
        for key, row in rows.items()
        if told[key] != was[key].without(*hides(row))
    ]


def page_hides(row):
    return ("code", "message") if row.form in PAGES else ()
