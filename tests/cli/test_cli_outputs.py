"""Outputs of commands and sentences about rules, word for word.

`commands.txt` and `sentences.txt`
"""

from __future__ import annotations

import json
import re

from tests.console import split


def test_commands(golden, run):
    """Exit code, standard output and standard error of each command, with its variables."""

    def output(line):
        environ, words = split(line)
        code, out, err = run(*words, env=environ)
        err = re.sub(r"^Usage: .*\nTry .*\n\n", "", err)  # which click words
        printed = [*([out] if out else []), *([f"to standard error:\n{err}"] if err else [])]
        return "".join([f"exit code {code}\n", *printed]).rstrip("\n")

    golden("commands.txt", output)


def test_sentences(golden, run):
    """One plain sentence says which requests, what they get and how often."""

    def words(text):
        return "\n".join(each["words"] for each in json.loads(run("check", text, "--json")[1])["rules"])

    golden("sentences.txt", words)
