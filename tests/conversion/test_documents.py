"""A file that is no document of any format is reported with its place; nothing is written."""

from __future__ import annotations

import json

from tests.console import command
from tests.rows import each_row


@each_row(
    ("text", "arguments", "says"),
    [
        ('{"a": 1,\n "b" 2}', (), "given.json:2:6: no JSON: Expecting ':' delimiter"),
        ("", (), "given.json:1:1: no JSON: Expecting value"),
        ('{"a": 1, "a": 2}', (), "given.json: a is given twice"),
        ('[{"b": {"a": 1, "a": 1}}]', (), "given.json: a is given twice"),
        ("[" * 100_000, (), "given.json: nested too deeply"),
        ("[" + "9" * 5000 + "]", (), "given.json: Exceeds the limit"),
        ('{"a": 1}', (), "given.json: this is in no known format: wiremock (stub mappings of"),
        ('"text"', (), "this is in no known format"),
        ("[]", (), "this is in no known format"),
        ('{"request": {}, "response": {}, "priority": true}', (), "priority: true is not a number"),
        ('{"request": {}, "response": {}, "priority": "x"}', (), 'priority: "x" is not a number'),
        ('{"request": {}, "response": {}, "priority": NaN}', (), "NaN is no number of JSON"),
        ('{"request": {}, "response": {}, "priority": ' + "9" * 400 + "}", (), "given.json: priority: 9999"),
        ('{"request": {}, "response": {}, "priority": "inf"}', (), 'priority: "inf" is not a number from 0'),
        ('{"request": {}, "response": {}, "priority": -1}', (), "priority: -1 is not a number from 0"),
        ('{"mappings": [{"request": [], "response": {}}]}', (), "mappings[0].request: [] is not an object"),
        ('{"request": {}, "response": {"status": 1000}}', (), "response.status: 1000 is not a status from 100 to 999"),
        ('{"upstream": "a", "name": 1}', (), "given.json: name: 1 is not a text"),
        ('{"upstream": "a", "toxics": {}}', (), "given.json: toxics: {} is not a list of objects"),
        ('[{"upstream": "a", "toxics": [{"type": "reset_peer", "toxicity": 1.5, "attributes": {}}]}]', (), "toxicity: 1.5 is not a number from 0 to 1"),
        ('{"latency": 1}', ("--from", "toxiproxy"), "given.json: this is no configuration of Toxiproxy"),
        ('[{"upstream": "a", "toxics": [{"attributes": {}}]}]', (), "[0].toxics[0]: there is no type"),
        ('[{"upstream": "a", "toxics": [{"type": "latency"}]}]', (), "[0].toxics[0]: there is no attributes"),
        ('[{"upstream": "a", "enabled": 3}]', (), "[0].enabled: 3 is not true or false"),
        ('[{"upstream": "a", "toxics": [{"type": "latency", "stream": "upstrm", "attributes": {}}]}]', (), '[0].toxics[0].stream: "upstrm" is not downstream or upstream'),
        ('{"request": {}, "respons": {}}', (), "given.json: there is no response; did you mean respons?"),
    ],
)  # fmt: skip
def test_wrong_documents(convert, text, arguments, says):
    """Exit code 2, one message, with file and place."""
    found = convert(text, *arguments)
    assert (found.code, found.errors[:13], found.text) == (2, "faultinject: ", "")
    assert says in found.errors


@each_row(
    ("content", "says"),
    [
        (b'{"latency":\n\xff\n}', "{}:2: not UTF-8: byte 0xff"),
        # No more than the bound is read, of a file and of the standard input.
        (json.dumps({"request": {}, "more": "x" * (16 << 20)}).encode(), "{}: more than 16 MiB"),
    ],
)
def test_files_that_are_not_read(tmp_path, content, says):
    """The message has the place."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    for name, shown in ((str(path), path), ("-", "standard input")):
        result = command("convert", name, input=content)
        assert (result.exit_code, result.stderr) == (2, f"faultinject: {says.format(shown)}\n")


def test_the_standard_input():
    """`-`, with a mark of its encoding."""
    result = command("convert", "-", input=b'\xef\xbb\xbf{"response": {"fault": "EMPTY_RESPONSE"}}')
    text = '# converted from -\n\n[[rules]]\nfault = "close"\n'
    assert (result.exit_code, result.stdout, result.stderr) == (0, text, "")


def test_rules_of_the_environment_into_a_file(tmp_path):
    """Without rules in the command, those of the environment are converted; `-o -` prints them."""
    environ = {"FAULTINJECT_RULES": "http:503"}
    path = tmp_path / "envoy.yaml"
    result = command("convert", "--to", "envoy", "-o", str(path), env=environ)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert '"http_status": 503' in path.read_text()
    result = command("convert", "--to", "envoy", "-o", "-", env=environ)
    assert result.stdout == path.read_text()


def test_several_documents_and_another_target(tmp_path):
    """Their rules are in the order of the files, and can be written for a proxy at once."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    toxic = {"type": "latency", "toxicity": 0.5, "attributes": {"latency": 5}}
    first.write_text(json.dumps([{"name": "a", "toxics": [toxic]}]))
    second.write_text('{"request": {}, "response": {"status": 503}, "name": "b"}')
    result = command("convert", str(first), str(second), "--json")
    data = json.loads(result.stdout)
    names = [each["name"] for each in data["rules"]]
    assert (data["from"], names) == (["toxiproxy", "wiremock"], ["a-latency_downstream", "b"])
    result = command("convert", str(second), "--to", "envoy")
    assert (result.exit_code, result.stdout.count('"http_status": 503')) == (0, 1)
