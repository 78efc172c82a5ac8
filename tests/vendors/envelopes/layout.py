"""Expected bodies and headers, read off a vendor's template by foreign parsers.

The template is parsed with a mark in each hole, so that every place is known where a value has to be found again,
whatever the format escapes and however.
"""

import json
import re
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

from faultinject import vendors
from tests.decisions import view

HOLE = re.compile(r"%\((.*?)\)s")
MARK = re.compile("\u27e6([^\u27e7]*)\u27e7")
XML = ("application/xml", "text/xml")
ALONE = ("area", "br", "hr", "img", "link", "meta")
"""Elements of HTML without an end."""
PLAIN = view({"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/photos/cat.jpg"})
"""A request that asks for no form of its own."""


class Page(HTMLParser):
    """The texts of a page and where they stand; `p` needs no end."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.open = []
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *attrs))
        if tag == "p" and "p" in self.open:
            self.handle_endtag("p")
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in ALONE:
            return
        while self.open.pop() != tag:
            pass

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data):
        place = "/".join(self.open)
        if data.strip() or place.endswith(("title", "h1")):
            self.found.append((place, data))

    def close(self):
        super().close()
        assert set(self.open) <= {"p", "body", "html"}, self.open


def parse_html(text):
    """Places and texts of a page, whose elements have to be those of a template."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def templates(*kinds):
    """The text of each template of these kinds."""
    for name in vendors.names():
        vendor = vendors.get(name)
        for form in (vendor.form, *vendor.forms.values()):
            if form.content_type.partition(";")[0] in kinds:
                yield vendor.read_template(form).decode()


@cache
def known_tags():
    """The elements of each HTML template."""
    return {tuple(parse_html(text).tags) for text in templates("text/html")}


def elements(element, place=""):
    """An element of XML and all within it, each with its place: the root's is empty."""
    yield place, element
    for inner in element:
        yield from elements(inner, f"{place}/{inner.tag}" if place else inner.tag)


@cache
def known_elements():
    """The place, the tag and the names of attributes of each element of XML templates."""
    return {
        (place, each.tag, *each.attrib)
        for text in templates(*XML)
        for place, each in elements(ElementTree.fromstring(text))
    }


def flat(value, place):
    """Nested pairs as places and texts: `error/errors/0/reason`."""
    if isinstance(value, list) and value and all(type(each) is tuple for each in value):
        return [pair for name, inner in value for pair in flat(inner, f"{place}/{name}" if place else name)]
    if isinstance(value, list):
        return [pair for at, inner in enumerate(value) for pair in flat(inner, f"{place}/{at}")]
    return [(place, value)]


def parse(content_type, body):
    """Parse a body by its Content-Type into pairs of place and text; a malformed one fails."""
    kind = content_type.partition(";")[0]
    if kind in XML:
        fields = []
        for place, each in elements(ElementTree.fromstring(body)):
            # A child that a row adds is an element of text alone.
            kind = (place, each.tag, *each.attrib)
            assert kind in known_elements() or (place and not each.attrib and not len(each)), kind
            assert not (each.tail or "").strip()
            fields += [(f"{place}@{name}", value) for name, value in each.attrib.items()]
            if len(each):
                assert not (each.text or "").strip()
            else:
                fields.append((place, each.text or ""))
        return fields
    if kind == "application/json":
        return flat(json.loads(body.decode(), object_pairs_hook=list), "")
    assert kind in ("text/html", "text/plain")
    if kind == "text/plain":
        return [("", body.decode())] if body else []
    page = parse_html(body.decode())
    assert tuple(page.tags) in known_tags()
    return page.found


@cache
def form_of(row, status):
    """The form that a plain request's answer comes in."""
    vendor = vendors.get(row.vendor)
    return vendor.form_of(row, vendor.asked_form(row, PLAIN, status))


def without_body(row, status):
    """Whether HTTP or the vendor has no body there."""
    return status in (204, 205, 304) or not form_of(row, status).content_type


@cache
def layout(row, status):
    """Places and texts of the row's envelope, with a mark for each value, without children."""
    vendor = vendors.get(row.vendor)
    form = form_of(row, status)
    known = {"status": str(status), "children": ""}
    text = vendor.read_template(form).decode()
    text = HOLE.sub(lambda hole: known.get(hole[1], f"\u27e6{hole[1]}\u27e7"), text).replace("%%", "%")
    return form.content_type, parse(form.content_type, text.encode())


@cache
def extras(row, status, place):
    """The names of what the row carries in that place, in order."""
    return [each.name for each in vendors.get(row.vendor).extras
            if each.place == place and each.belongs_to(row, status)
            and each.name not in form_of(row, status).without]  # fmt: skip


def check_fields(row, status, fields, **values):
    """Check that every field is the envelope's, or an allowed child, in order.

    With these values in it; where a value is not given any will do.
    """
    content_type, expected = layout(row, status)
    children = [*extras(row, status, "child")]
    if content_type.startswith("text/html"):
        # an element without text is not told
        expected = [(place, text) for place, text in expected if filled(text, values) != ""]
    left = [*expected]
    for place, text in fields:
        if left and left[0][0] == place and fits(left[0][1], text, values):
            left.pop(0)
            continue
        name = place.rpartition("/")[2]
        assert name in children, (place, text, left[:1])
        del children[: children.index(name) + 1]
    assert left == []


def filled(text, values):
    """The text with the values that are given, or None where another is needed."""
    if not isinstance(text, str):
        return text
    if any(name not in values for name in MARK.findall(text)):
        return None
    return MARK.sub(lambda mark: values[mark[1]], text)


def fits(expected, text, values):
    """Whether a text is the expected one, whatever stands for the values that are not given."""
    if not isinstance(expected, str) or not isinstance(text, str):
        return text == expected
    whole = filled(expected, values)
    if whole is not None:
        return text == whole
    known = [part if at % 2 == 0 else values.get(part) for at, part in enumerate(MARK.split(expected))]
    pattern = "".join("(?s:.*)" if part is None else re.escape(part) for part in known)
    return re.fullmatch(pattern, text) is not None


def id_headers(row):
    """The headers that carry an id of a row: its form's own, else the vendor's."""
    vendor = vendors.get(row.vendor)
    own = vendor.form_of(row).id_headers
    return vendor.id_headers if own is None else own


def bare_head(row):
    """Whether an answer to HEAD says nothing of the body: of a row's form, else of the vendor."""
    vendor = vendors.get(row.vendor)
    own = vendor.form_of(row).bare_head
    return vendor.bare_head if own is None else own


def head_as_get(row, status):
    """Whether HEAD is answered like GET: MinIO's failed conditions and ranges, and a full queue."""
    return row.vendor == "minio" and status in (412, 416, 429)


def check_headers(row, status, answer, *, length, ids, marks, method="GET"):
    """Check the headers in order: type, length, ids, the row's own and our marks, nothing else."""
    kind = form_of(row, status).content_type
    content = [*([("Content-Type", kind)] if kind else []), ("Content-Length", str(length))]
    if status in (204, 205, 304):
        content = [("Content-Length", "0")] if status == 205 else []
    elif method == "HEAD" and bare_head(row) and not head_as_get(row, status):
        content = [("Content-Length", "0")]
    fixed = [*content, *((name, ids[which]) for name, which in id_headers(row))]
    carried = [
        *extras(row, status, "header"),
        *extras(row, status, "head" if method == "HEAD" and not head_as_get(row, status) else "body"),
    ]
    got = answer.headers
    assert got[: len(fixed)] == fixed
    assert got[len(got) - len(marks) :] == marks
    more = got[len(fixed) : len(got) - len(marks)]
    assert {name for name, _ in more} <= {*carried}
    assert len(set(answer.names)) == len(answer.names)
