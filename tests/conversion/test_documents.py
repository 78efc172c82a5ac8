"""What is no document of any format: told with its place, and nothing is written."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from faultinject.cli.program import program
from faultinject.conversion import document


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ('{"a": 1,\n "b" 2}', (), "given.json:2:6: no JSON: Expecting ':' delimiter"),
        ("", (), "given.json:1:1: no JSON: Expecting value"),
        ('{"a": 1, "a": 2}', (), "given.json: a is given twice"),
        ('{"a": NaN}', (), "given.json: NaN is no number of JSON"),
        ("[" * 100_000, (), "given.json: nested too deeply"),
        ("[" + "9" * 5000 + "]", (), "given.json: no JSON: Exceeds the limit"),
        ('{"a": 1}', (), "given.json: this is of no format that is known: testbench (retry test of"),
        ('"text"', (), "this is of no format that is known"),
        ('{"latency": 1}', ("--from", "toxiproxy"), "given.json: this is no configuration of Toxiproxy"),
        ('{"instructions": {"storage.buckets.list": "return-503"}}', (), 'instructions.storage.buckets.list: "return-503" is not a list'),
        ('{"instructions": {"storage.buckets.lst": []}}', (), "storage.buckets.lst is no operation of gcs; did you mean storage.buckets.list?"),
        ('{"instructions": {"storage.buckets.list": ["return-5x3"]}}', (), "storage.buckets.list[0]: return-5x3 is no instruction of the testbench"),
        ('{"instructions": {"storage.buckets.list": [503]}}', (), "list[0]: 503 is not a text"),
        ('[{"service": "s3", "probability": 1.5}]', (), "[0].probability: 1.5 is not from 0 to 1"),
        ('[{"service": "s3", "probability": true}]', (), "[0].probability: true is not a number"),
        ('[{"service": "s3", "error": []}]', (), "[0].error: [] is not an object"),
        ('[{"service": "s3", "error": {"statusCode": "x"}}]', (), '[0].error.statusCode: "x" is not a number'),
        ('{"latency": ' + "9" * 400 + "}", (), "given.json: latency: 9999"),
        ('{"latency": -' + "9" * 400 + "}", (), "given.json: latency: -9999"),
        ('[{"service": "s3", "probability": ' + "9" * 400 + "}]", (), "is too large a number"),
        ('{"latency": -1}', (), "latency: -1 is not 0 or more"),
        ('[{"upstream": "a", "toxics": [{"type": "latencyy", "attributes": {}}]}]', (), "[0].toxics[0].type: latencyy is none that is known; did you mean latency?"),
        ('[{"upstream": "a", "toxics": [{"type": "qqqqqq", "attributes": {}}]}]', (), "qqqqqq is none that is known; there are latency, bandwidth"),
        ('[{"upstream": "a", "toxics": [{"attributes": {}}]}]', (), "[0].toxics[0]: there is no type"),
        ('[{"upstream": "a", "toxics": [{"type": "latency"}]}]', (), "[0].toxics[0]: there is no attributes"),
        ('[{"upstream": "a", "enabled": 1}]', (), "[0].enabled: 1 is not true or false"),
        ('[{"upstream": "a", "toxics": [{"type": "latency", "stream": "upstrm", "attributes": {}}]}]', (), "[0].toxics[0].stream: upstrm is none that is known; did you mean upstream?"),
        ('{"request": {}, "response": {"fault": "EMPTY"}}', (), "response.fault: EMPTY is none that is known; did you mean EMPTY_RESPONSE?"),
        ('{"request": {}}', (), "given.json: there is no response"),
        ('{"actions": {"a": {"actionId": "aws:fis:wait", "parameters": {"duration": "5m"}}}}', (), "actions.a.parameters.duration: '5m' is not a duration such as PT5M"),
        ('{"actions": {"a": {"actionId": "aws:fis:wait", "parameters": {"duration": "P"}}}}', (), "'P' is not a duration"),
        ('{"actions": {"a": {"actionId": "x", "startAfter": ["b"]}}}', (), "actions.a.startAfter[0]: there is no action b"),
        ('{"actions": {"a": {"actionId": "x", "startAfter": ["a"]}}}', (), "actions.a.startAfter[0]: a starts after itself"),
        ('{"actions": {"a": {"actionId": "aws:network:disrupt-connectivity"}}}', (), "actions.a: there is no parameters"),
    ],
)  # fmt: skip
def test_wrong_documents(convert, text, arguments, says):
    """Exit code 2, one message, with file and place."""
    found = convert(text, *arguments)
    assert found.code == 2
    assert says in found.errors
    assert found.errors.startswith("faultinject: ")
    assert found.text == ""


def test_bytes_that_are_no_text(tmp_path):
    """With the line."""
    path = tmp_path / "a.json"
    path.write_bytes(b'{"latency":\n\xff}')
    result = CliRunner().invoke(program, ["convert", str(path)])
    assert (result.exit_code, result.stderr) == (2, f"faultinject: {path}:2: not UTF-8: byte 0xff\n")


def test_a_document_that_is_too_large(tmp_path, monkeypatch):
    """No more than the bound is read, of a file and of the standard input."""
    monkeypatch.setattr(document, "LARGEST", 1 << 20)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"latency": 5, "more": "x" * (1 << 20)}))
    result = CliRunner().invoke(program, ["convert", str(path)])
    assert (result.exit_code, result.stderr) == (2, f"faultinject: {path}: more than 1 MiB\n")
    result = CliRunner().invoke(program, ["convert", "-"], input=path.read_bytes())
    assert (result.exit_code, result.stderr) == (2, "faultinject: standard input: more than 1 MiB\n")


def test_the_standard_input():
    """`-`, with a mark of its encoding."""
    result = CliRunner().invoke(program, ["convert", "-"], input=b'\xef\xbb\xbf{"latency": 1500}')
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        '# converted from -\n\n[[rules]]\nfault = "latency"\ndelay = "1.5s"\nname = "network"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give a FILE of another tool to be read, or --to with whose configuration to write"),
        (("--to", "nginx"), "there is no rule: give one by -r or --file, or in FAULTINJECT_RULES"),
        (("a.json", "-r", "reset"), "give either FILE of another tool, or rules by -r and --file"),
        (("--to", "nginx", "-r", "reset", "--listen", "a b:1"), "--listen: a b:1 is not a host and a port such as 127.0.0.1:8080"),
        (("--to", "nginx", "-r", "reset", "--upstream", "a;b:80"), "--upstream: a;b:80 is not"),
        (("--to", "nginx", "-r", "reset", "--upstream", "a:0"), "--upstream: a:0 is not"),
        (("--to", "nginx", "-r", "reset", "--upstream", "a:65536"), "--upstream: a:65536 is not"),
        (("--to", "nginx", "-r", "resett"), "did you mean reset"),
        (("/no/such/file",), "/no/such/file: No such file or directory"),
        (("--to", "nginx", "-r", "reset", "-o", "/no/such/file"), "-o: cannot write to /no/such/file: No such file or directory"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments, says):
    """Exit code 2, and why."""
    result = CliRunner().invoke(program, ["convert", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_rules_of_the_environment_into_a_file(tmp_path):
    """Where no others are given; `-o -` is the standard output."""
    environ = {"FAULTINJECT_RULES": "reset"}
    path = tmp_path / "haproxy.cfg"
    result = CliRunner().invoke(program, ["convert", "--to", "nginx", "-o", str(path)], env=environ)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert "return 444;" in path.read_text()
    result = CliRunner().invoke(program, ["convert", "--to", "nginx", "-o", "-"], env=environ)
    assert result.stdout == path.read_text()


def test_several_documents_and_another_target(tmp_path):
    """Their rules are in the order of the files, and can be written for a proxy at once."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text('[{"service": "s3"}]')
    second.write_text('{"instructions": {"storage.buckets.list": ["return-503"]}, "id": "x"}')
    result = CliRunner().invoke(program, ["convert", str(first), str(second), "--json"])
    data = json.loads(result.stdout)
    assert data["from"] == ["localstack", "testbench"]
    assert [each["name"] for each in data["rules"]] == ["ServiceUnavailable", "storage.buckets.list.1"]
    result = CliRunner().invoke(program, ["convert", str(first), str(first), "--to", "haproxy"])
    assert (result.exit_code, result.stdout.count("http-request return status 503")) == (0, 2)
