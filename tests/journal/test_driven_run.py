"""The lines by which drivers and tests note their calls in the journal."""

import json

from faultinject import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.driven_run import DrivenRun, run_of
from faultinject.journal.named_calls import NamedCall, named_call_line, read_named_calls
from tests.journals import FINE, PID, line


def test_a_driver_notes_which_errors_were_of_one_kind_and_none_of_their_words(tmp_path):
    """A secret in the place of an exception's class is not shown."""
    path = tmp_path / "journal.jsonl"
    path.touch()
    said = ("SlowDown: one", "SlowDown: secret", "503 secret", "secret.secret: denied", None)
    windows = [CallWindow("put", 0.0, 1.0, False, each, key=f"k{number}") for number, each in enumerate(said)]
    DrivenRun(PID, windows, 2.0).write(str(path))
    assert "secret" not in path.read_text()
    kinds = ("kind 1", "kind 1", "kind 2", "kind 3")
    assert [each.error for each in run_of(path.read_bytes().splitlines()).calls] == [
        *(f"an error of {each} (the journal does not keep its message)" for each in kinds),
        None,
    ]


def test_the_last_whole_line_counts(tmp_path):
    """It says all that the driver knows; an earlier run and a damaged line are passed over."""
    path = tmp_path / "journal.jsonl"
    path.touch()
    windows = [CallWindow("put", 1.0, 2.0, True, key="k1"), CallWindow("get", 3.0, None, key="k2")]
    DrivenRun(PID, [], 1.0).write(str(path))
    DrivenRun(PID, windows, 9.0, "aws-sdks", "it never ended", 2.0).write(str(path))
    found = run_of([*path.read_bytes().splitlines(), b'{"v":1,"driven":{}}', b'{"driven":{', b"{}"])
    told = (found.pid, found.until, found.profile, found.failure, found.speed)
    assert told == (PID, 9.0, "aws-sdks", "it never ended", 2.0)
    assert [(each.name, each.key, each.returned) for each in found.calls] == [
        ("put", "k1", True),
        ("get", "k2", None),
    ]
    assert [(each.began, each.ended) for each in found.calls_by_client()] == [(1.0, 3.0), (5.0, None)]
    seen = [found.attempt_by_client(Attempt.of(line(2.0, FINE, took=took))) for took in (0.5, None)]
    assert [(each.arrived, each.answered) for each in seen] == [(3.0, 4.0), (3.0, None)]


def test_a_test_notes_the_type_of_an_error_and_none_of_its_words():
    """Its calls are read back, past damaged lines; the line has no other fields."""
    window = CallWindow("put", 1.0, 2.0, False, "SlowDown: secret", "k", "test_it", (0.5,))
    line = named_call_line(window, PID)
    assert b"secret" not in line
    assert tuple(json.loads(line)["told"]) == NamedCall.__struct_fields__
    [found] = read_named_calls([b"{}", b'{"told":{', line, b'{"told":{}}'])
    assert (found.name, found.began, found.ended, found.returned) == ("put", 1.0, 2.0, False)
    assert (found.error, found.key, found.test, found.within) == ("SlowDown", None, "test_it", [0.5])
