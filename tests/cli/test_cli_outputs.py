"""Outputs of commands and sentences about rules, word for word.

`commands.txt` and `sentences.txt`
"""

import json
import re

from faultinject.cli.commands.check import VOCABULARY
from faultinject.cli.vocabulary import sections
from tests.console import split


def test_commands(golden, run):
    """Exit code, standard output and standard error of each command, with its variables."""

    def output(line):
        environ, words = split(line)
        code, out, err = run(*words, env=environ)
        err = re.sub(r"^Usage: .*\nTry .*\n", "", err, flags=re.MULTILINE)  # which click words
        for number in re.findall(r"(?im)^x-\S*id\S*: (\S+)$", out):  # which no two answers share
            out = out.replace(number, "~")
        printed = [*([out] if out else []), *([f"to standard error:\n{err}"] if err else [])]
        return "".join([f"exit code {code}\n", *printed]).rstrip("\n")

    golden("commands.txt", output)


def test_sentences(golden, run):
    """One plain sentence says which requests, what they get and how often."""

    def words(text):
        return "\n".join(each["words"] for each in json.loads(run("check", text, "--json")[1])["rules"])

    golden("sentences.txt", words)


def test_vocabulary(request):
    """The file from which `check -h` has the vocabulary says what the rooms say."""
    said = "\n\n".join("\n".join([title, *("\t".join(row) for row in rows)]) for title, rows in sections())
    if request.config.option.update_golden:
        VOCABULARY.write_text(f"{said}\n", encoding="utf-8")
    written = VOCABULARY.read_text(encoding="utf-8")
    assert written == f"{said}\n", "pytest --update-golden writes it anew"
