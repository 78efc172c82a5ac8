"""Each request has conditions of an ordinary rule that mean it and nothing else."""

import itertools
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

import faultinject
from tests.rows import each_row

from .service import call, client, exploring, left_out, passing, scenarios, texts

PAGE = "GET /b?list-type=2"
NEXT_PAGES = [f"{PAGE}&continuation-token={each}" for each in "xy"]
OF_PAGE, NEXT = "method=GET,path=/b,", "query.continuation-token=,query.list-type=2"


@each_row(
    ("requests", "rules"),
    [
        (["PUT /b/k"], ["method=PUT,path=/b/k"]),
        (["GET /b/k", "PUT /b/k"], ["method=GET,path=/b/k", "method=PUT,path=/b/k"]),
        (["PUT /b/k?partNumber=2&uploadId=x"], ["method=PUT,path=/b/k,query.partNumber=2,query.uploadId="]),
        (["GET /b/k?versionId=7&X-Amz-Signature=00"], ["method=GET,path=/b/k,query.X-Amz-Signature=,query.versionId=7"]),
        (["GET /b/k?mine=secret"], ["method=GET,path=/b/k,query.mine="]),
        (["GET /b/a%20b%2Fc"], ['method=GET,path="/b/a b%2Fc"']),
        (["GET /b/dir/"], ["method=GET,path==/b/dir/"]),
        (["GET /b/what%3F*"], ["method=GET,path==/b/what?*"]),
        (["GET /b?prefix=a*&delimiter=/"], ["method=GET,path=/b,query.delimiter==/,query.prefix==a*"]),
        (["GET /b?prefix==x"], ["method=GET,path=/b,query.prefix="]),
        (["GET /b?prefix="], ["method=GET,path=/b,query.prefix="]),
        (["GET /b?=x&uploads"], ["method=GET,path=/b,query.uploads="]),
        (["GET /" + "/".join("a" * 40)], [f"method=GET,path==/{'/'.join('a' * 40)}"]),
        # Equal requests, and pages that match the first page's conditions, differ by `skip`.
        ([PAGE, *NEXT_PAGES], [f"{OF_PAGE}query.list-type=2", f"{OF_PAGE}{NEXT},skip=1", f"{OF_PAGE}{NEXT}"]),
        ([NEXT_PAGES[0], PAGE], [f"{OF_PAGE}{NEXT}", f"{OF_PAGE}query.list-type=2,skip=1"]),
    ],
)  # fmt: skip
def test_conditions(requests, rules):
    """Method, path and parameters are literal; of changing or secret ones only the presence."""
    assert scenarios(requests, "reset") == [f"reset,{each},times=1" for each in rules]


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
            st.text(st.characters(codec="utf-8"), max_size=40),
            st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5) | st.just("prefix"),
                            st.text(st.characters(codec="utf-8"), max_size=10), max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
def test_whatever_is_asked_for(asked):
    """Any request gets its fault: the printed rule is parsed and matches it again."""

    def code():
        for method, path, query in asked:
            target = "/" + quote(path)
            text = EnvironBuilder(
                query_string={name: value for name, value in query.items() if name}
            ).query_string
            assert call(method, target, query_string=text)

    exploration = passing(code, "http:503")
    assert all(each.reached for each in exploration.runs)
    for each in exploration.runs:
        again = faultinject.Scenario.parse(each.text, seed="0")
        assert again == each.scenario
        with faultinject.inject(again) as faults:
            code()
        assert faults.injected == 1


def changing(*targets):
    """Requests that are others in each run: every target is a template for a number."""
    numbers = itertools.count(1)

    def code():
        number = next(numbers)
        for each in targets:
            assert call("PUT", each.format(number=number, long=f"{number:06}", hex=f"{number:016x}"))

    return code


GOOGLES = "/storage/v1/b/photos/o"


@each_row(
    ("targets", "fault", "rules"),
    [
        (["/b/{long}-a", "/b/b"], "reset", ["method=PUT,path=/b/*-a", "method=PUT,path=/b/b"]),
        (["/b/{hex}"], "reset", ["method=PUT,path=/b/*"]),
        (["/b/k?versionId={hex}"], "reset", ["method=PUT,path=/b/k,query.versionId=*"]),
        (["/b/12345678-1234-1234-1234-{number:012}"], "reset", ["method=PUT,path=/b/*"]),
        (["/b/tmp{number}"], "reset", ["operation=PutObject"]),
        (["/b/tmp{number}", "/b/tmp{number}"], "reset", ["operation=PutObject", "operation=PutObject,skip=1"]),
        # The requests of other services are read as the vendor whose faults are asked for.
        (
            [f"{GOOGLES}/tmp{{number}}", f"{GOOGLES}/fixed"],
            "gcs:backendError",
            [f"method=PUT,path={GOOGLES}/fixed", "operation=storage.objects.update"],
        ),
    ],
)  # fmt: skip
def test_what_changes_from_run_to_run(targets, fault, rules):
    """Long numbers and hexadecimal runs become stars; other names are known by operation alone."""
    placed = [each.removesuffix(",times=1") for each in texts(passing(changing(*targets), fault))]
    assert sorted(placed) == sorted(f"{fault},{each}" for each in rules)


def beating(*numbers, target="/b/beat"):
    """One request that cannot be missed, beside so many alike in each run."""
    numbers = itertools.chain(numbers, itertools.repeat(numbers[-1]))

    def code():
        for _ in range(next(numbers)):
            call("GET", target)
        assert call("PUT", "/b/k")

    return code


ONE_MAKES_IT = " (differs between two runs without faults: only one makes it; make them alike)"


@each_row(
    ("numbers", "exhaustive", "tried", "said"),
    [
        ((2, 3), False, [], " x 2 (differs between two runs without faults; exhaustive=True tries those that both make)"),
        ((2, 3), True, ["times=1", "skip=1,times=1"], ONE_MAKES_IT),
        ((3, 2), True, ["times=1", "skip=1,times=1"], ONE_MAKES_IT),
        ((0, 2), True, [], f" x 2{ONE_MAKES_IT}"),
        ((2, 0), False, [], f" x 2{ONE_MAKES_IT}"),
    ],
)  # fmt: skip
def test_what_runs_do_not_agree_on_is_left_out(numbers, exhaustive, tried, said):
    """A request that one of two runs makes more often is left out, and the report names it.

    The report also says what brings it back: `exhaustive=True` tries the requests that both runs make, but none that
    only one run makes.
    """
    exploration = passing(beating(*numbers), "reset", exhaustive=exhaustive)
    assert set(texts(exploration)) == {
        *(f"reset,method=GET,path=/b/beat,{each}" for each in tried),
        "reset,method=PUT,path=/b/k,times=1",
    }
    assert left_out(exploration) == [f"left out: GET /b/beat{said}"]


def test_several_left_out_are_one_line():
    """Requests left out are counted, and their text is escaped."""
    exploration, _ = exploring(beating(2, 3, 2, 3, target="/b/%E2%80%AE"), "reset")
    assert exploration.report().splitlines()[-1].startswith(r"left out: GET /b/\u202e x 2 (differs between ")


def test_requests_alike_are_points_one_by_one():
    """Equal requests of equal number in both runs each get every fault, with any bodies.

    So many alike are no poll.
    """
    exploration = passing(lambda: [call("PUT", "/b/log", data=bytes(number)) for number in range(6)], "reset")
    place = "reset,method=PUT,path=/b/log"
    assert sorted(each.text for each in exploration.runs) == [
        *(f"{place},skip={number},times=1" for number in range(1, 6)),
        f"{place},times=1",
    ]
    assert exploration.report().splitlines()[1:] == []


def test_a_request_without_a_path():
    """A request without a path, as below a mount point, is known by method and query."""
    environ = {**EnvironBuilder(query_string="prefix=a").get_environ(), "PATH_INFO": "", "SCRIPT_NAME": ""}

    def code():
        for _ in range(2):
            status = run_wsgi_app(client.application, dict(environ))[1]
        assert status == "200 OK"

    exploration, error = exploring(code, "http:503")
    assert texts(exploration) == [
        "http:503,method=GET,query.prefix=a,times=1",
        "http:503,method=GET,query.prefix=a,skip=1,times=1",
    ]
    assert [each.failed for each in exploration.runs] == [False, True], error


def test_a_request_too_long_to_know():
    """No rule matches a path that the journal cuts, and the report says that it was not reached."""
    exploration = passing(lambda: [call("PUT", f"/b/{'k' * 3000}"), call("PUT", "/b/k")], "reset")
    assert [each.reached for each in exploration.runs] == [False, True]


def test_a_fault_of_a_vendor_with_other_words_is_placed_by_method_and_path():
    """A fault of a vendor with other operations is placed by method and path.

    The names of the vendor by which requests are read would be refused.
    """
    exploration, _ = exploring(changing("/b/tmp{number}"), "cos:SlowDown", "azure-blob:ServerBusy")
    assert sorted(each.partition("tmp")[0] for each in texts(exploration)) == [
        "azure-blob:ServerBusy,method=PUT,path=/b/",
        "cos:SlowDown,operation=PutObject,times=1",
    ]
