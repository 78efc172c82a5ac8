"""DeleteObjects answered with status 200: each key of the request has its own end."""

from xml.etree import ElementTree

import pytest

from faultinject import vendors

from .transport import App, Taking, ended, only

MOST_BYTES = 2 << 20
TARGET = "/photos/?delete"
KEYS = [f"{number}/ä&<b>.jpg" for number in range(60)]
RULE = "cos:InternalError,operation=DeleteObjects,status=200"


def document(keys=KEYS):
    root = ElementTree.Element("Delete", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for key in keys:
        ElementTree.SubElement(ElementTree.SubElement(root, "Object"), "Key").text = key
    return ElementTree.tostring(root)


def keys_of(answer):
    """The deleted and the failed keys of an answer."""
    root = ElementTree.fromstring(answer.body)
    assert root.tag == "DeleteResult"
    assert {each.tag for each in root} <= {"Deleted", "Error"}
    return tuple([each.findtext("Key") for each in root.iterfind(name)] for name in ("Deleted", "Error"))


def post(send, injector, body, target=TARGET, **more):
    return send(injector, "POST", target, body=body, **more)


def whole(answer):
    """Whether an answer is the error for the request as a whole."""
    root = ElementTree.fromstring(answer.body)
    assert (answer.status, answer.header("content-length")) == (200, str(len(answer.body)))
    return (root.tag, root.findtext("Code")) == ("Error", "InternalError")


def test_the_bound_is_two_mebibytes(send, make_injector):
    """One byte less, and the keys are read."""
    shorter = document(["k"]) + b" " * (MOST_BYTES - len(document(["k"])))
    answer = post(send, make_injector(RULE), shorter)
    assert (keys_of(answer), answer.header("content-length")) == (([], ["k"]), str(len(answer.body)))
    assert whole(post(send, make_injector(RULE), shorter + b" "))


ANY = "cos:InternalError,status=200,share=0.5"


@pytest.mark.parametrize(
    ("rule", "method", "target"),
    [
        (ANY, "POST", "/photos/?uploads"),
        (ANY, "POST", "/photos/key?delete"),
        (ANY, "PUT", TARGET),
        (f"{RULE},drain=no", "POST", TARGET),
    ],
)
def test_other_requests_fail_as_a_whole(send, make_injector, rule, method, target):
    """Only what the vendor reads as DeleteObjects lists keys, if its body is read, in a success."""
    assert whole(send(make_injector(rule), method, target, body=document()))
    assert keys_of(post(send, make_injector(ANY), document())) != ([], KEYS)


def test_answers_that_can_list_no_keys(send, make_injector):
    """An error's own status, and an answer without a body."""
    failed = post(send, make_injector("cos:InternalError,operation=DeleteObjects"), document())
    head = send(make_injector(ANY), "HEAD", TARGET)
    assert (failed.status, ElementTree.fromstring(failed.body).tag, head.status, head.body) == (
        500,
        "Error",
        200,
        b"",
    )


@pytest.mark.parametrize(
    "more", ["", ",delay=1ms", ",when=after", ",when=after,delay=1ms", ",set.x-a=b,cors=no"]
)
def test_both_adapters_say_the_same(both, make_injector, clock, more):
    """Byte for byte, with and without all that shapes an answer."""
    found = []
    for send in both:
        # A real clock would have a blank sent, or none, by how busy the machine is.
        injector = make_injector(f"{RULE},share=0.3{more}", waits=clock)
        answer = post(send, injector, document(), headers=[("Origin", "https://app.example")])
        found.append((answer.wire, ended(injector), only(injector).response_bytes))
    assert found[0] == found[1]
    deleted, failed = keys_of(answer)
    assert len(deleted) > len(failed) > 0


def test_after_the_app_has_deleted_them_all(send, make_injector):
    """The app reads the same bytes as without us, and what it deleted stays deleted."""
    app = Taking(how=lambda body: [body.read(10), body.readline(), *body.readlines(), *body])
    injector = make_injector(f"{RULE},share=0.5,when=after")
    request = document().replace(b"<Object>", b"\n<Object>")
    answer = post(send, injector, request, app=app)
    assert (app.ran, app.body, all(keys_of(answer))) == (1, request, True)
    assert (ended(injector), only(injector).response_bytes) == (("answered", True, 200), len(answer.body))


@pytest.mark.parametrize("more", ["", ",when=after"])
def test_an_error_of_ours_leaves_the_whole_error(send, make_injector, monkeypatch, more):
    """It is told, and the client gets the error all the same."""
    escape = vendors.get("cos").escape

    def fail(text):
        if "jpg" in text:
            raise RuntimeError("ours")
        return escape(text)

    monkeypatch.setattr(vendors.get("cos"), "escape", fail)
    injector = make_injector(RULE + more)
    assert (whole(post(send, injector, document())), [str(error) for error in injector.errors]) == (
        True,
        ["ours"],
    )


def test_after_an_app_that_did_not_read_them(send, make_injector):
    """Nobody knows the keys then."""
    assert whole(post(send, make_injector(f"{RULE},when=after"), document(), app=App(b"")))


@pytest.mark.parametrize("more", ["", ",when=after", ",delay=10s"])
def test_a_share_that_spares_every_key_is_no_fault(send, make_injector, more):
    """The answer has no error to blame anybody for, and `times` keeps its fault."""
    injector = make_injector(f"{RULE},share=0,times=1{more}")
    answer = post(send, injector, document(), app=Taking())
    assert (keys_of(answer), only(injector).did, injector.counts()["rule-1"].injected) == (
        (KEYS, []),
        "nothing_to_cut",
        0,
    )
