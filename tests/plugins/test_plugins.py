"""Vendors, faults and stores of other packages work like built-in ones, and harm nobody."""

import ast
import re
import sys
from pathlib import Path

import pytest
import wrapt

from .conftest import HERE, Python

ROOT = HERE.parents[1]
PAGE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")

ASK = """
import io, sys, faultinject

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"the app's answer"]

def ask(faulty, method="GET", path="/", **more):
    heads = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "x",
               "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), **more}
    body = b"".join(faulty(environ, lambda status, headers: heads.append((status, dict(headers)))))
    return heads[0][0], heads[0][1], body.decode()
"""
BOTH = "acme:SlowDown,bucket=photos,times=1; empty,path=photos/"
TOML = """
[[rules]]
fault = "acme:SlowDown"
bucket = "photos"
times = 1

[[rules]]
fault = "empty"
path = "photos/"
"""
HOST = 'HTTP_HOST="photos.storage.acme.example"'


def test_rules_name_them(python: Python) -> None:
    """Text and TOML know both; envelope, ids, headers and addresses are the package's."""
    told, _ = python(
        "-c",
        f"""{ASK}
for rules in (faultinject.Scenario({BOTH!r}), faultinject.Scenario.from_toml({TOML!r})):
    faulty = faultinject.WSGIFaultMiddleware(app, rules, seed=1)
    status, headers, body = ask(faulty, "PUT", "/cat.jpg", {HOST})
    id_ = headers["X-Acme-Request-Id"]
    print(status, headers["Content-Type"], headers["Retry-After"], len(id_), body.replace(id_, "~").strip())
    print(ask(faulty, "GET", "/photos/cat.jpg", {HOST})[::2])
""",
    )
    assert told.splitlines() == 2 * [
        "503 Service Unavailable application/json 60 8 "
        '{"error":"SlowDown","text":"Please reduce your request rate.","on":"/photos/cat.jpg","id":"~"}',
        "('200 OK', '')",
    ]


MARKED = """
import pytest
from flask import Flask

app = Flask(__name__)

@app.get("/photos/<name>")
def load(name):
    return "a photo"

@pytest.mark.faultinject("acme:SlowDown", times=1, path="photos/")
@pytest.mark.faultinject("empty", times=1, path="photos/")
def test_both(faults):
    answers = [app.test_client().get("/photos/cat.jpg") for _ in range(2)]
    assert [each.status_code for each in answers] == [503, 200]
    assert (answers[0].json["error"], answers[1].data) == ("SlowDown", b"")
"""


@pytest.mark.slow
def test_markers_name_them(python: Python) -> None:
    """A marker may name a package's fault, and the app answers with it."""
    (python.directory / "test_marked.py").write_text(MARKED, encoding="utf-8")
    said, _ = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_marked.py")
    assert "1 passed" in said


@pytest.mark.slow
def test_the_journal_knows_their_operations(python: Python) -> None:
    """The journal keeps the headers that a package's operations are recognised by, like ours.

    It never keeps a value without need.
    """
    told, _ = python(
        "-c",
        f"""{ASK}
import asyncio

async def never(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b""}})

async def send(message):
    pass

injector = faultinject.Injector("acme:SlowDown,times=0", record_all=True)
ask(faultinject.WSGIFaultMiddleware(app, injector=injector), "PUT", "/photos/cat.jpg", HTTP_X_ACME_COPY_SOURCE="secret")
scope = {{"type": "http", "method": "PUT", "path": "/photos/cat.jpg", "headers": [(b"x-acme-copy-source", b"secret")]}}
asyncio.run(faultinject.ASGIFaultMiddleware(never, injector=injector)(scope, None, send))
outcomes = injector.journal.outcomes
print([each.operation for each in outcomes], "secret" in str([each.to_dict() for each in outcomes]))
""",
    )
    assert told == "['CopyObject', 'CopyObject'] False\n"


@pytest.mark.slow
def test_the_value_of_a_header_tells_an_operation(python: Python) -> None:
    """A package's own table may ask for it, or for the header alone."""
    package = python.folder / "faultinject_acme"
    (package / "operations.csv").write_text(
        "operation,method,level,query,header\nLink,PUT,object,,kind=link\nMake,PUT,object,,make\n"
    )
    made = (package / "vendor.py").read_text(encoding="utf-8")
    named = 'operations=("faultinject_acme:operations.csv",),\n    extras='
    (package / "vendor.py").write_text(made.replace("extras=", named), encoding="utf-8")
    told, _ = python(
        "-c",
        f"""{ASK}
injector = faultinject.Injector("acme:SlowDown,times=0", record_all=True)
faulty = faultinject.WSGIFaultMiddleware(app, injector=injector)
for header in ("HTTP_X_ACME_KIND", "HTTP_X_ACME_MAKE"):
    ask(faulty, "PUT", "/photos/cat.jpg", **{{header: "link"}})
print([each.operation for each in injector.journal.outcomes])
""",
    )
    assert told == "['Link', 'Make']\n"


@pytest.mark.slow
def test_commands_know_them(python: Python) -> None:
    """`vendors`, `check`, `check -h` and `preview` show both."""
    listed, wrong = python("-m", "faultinject", "vendors")
    assert [line.split()[:3] for line in listed.splitlines() if line.startswith("acme ")] == [
        ["acme", "ACME", "Storage"]
    ]
    assert wrong == ""
    assert "Please reduce your request rate." in python("-m", "faultinject", "vendors", "acme:SlowDown")[0]
    assert "60" in python("-m", "faultinject", "preview", "acme:SlowDown", "--path", "/photos/cat.jpg")[0]
    told, _ = python("-m", "faultinject", "check", "empty,times=1")
    assert "a 200 without a body" in told
    vocabulary = " ".join(python("-m", "faultinject", "check", "-h")[0].split())
    assert (
        "A 200 without a body, where the client waits for one. Such as empty,method=GET,times=1" in vocabulary
    )
    assert "Other packages" not in vocabulary


WRONG = {
    "acne:SlowDown": "'acne' is not a vendor; did you mean acme?",
    "emty": "emty is not a fault; did you mean empty?",
    "acme:SlowDwn": "acme:SlowDwn is not a documented error of acme; did you mean acme:SlowDown?",
    "acme": "acme is not a fault; name one of its errors, such as acme:SlowDown",
    "empty,status=500": "empty takes no status; it takes when, set, drain and cors",
    "ACME:SlowDown": "'ACME' is not a vendor; did you mean acme?",
}


def test_a_wrong_name_is_told_with_theirs(python: Python) -> None:
    """The nearest spelling is looked for among all."""
    said = "".join(python("-m", "faultinject", "check", *WRONG, code=2))
    for each in WRONG.values():
        assert each in said


def test_exploration_takes_their_standard_set(python: Python) -> None:
    """The id of another package's vendor stands for its errors, as that of the house's own does."""
    program = (
        "from faultinject.testing.exploration.choices import choices_of; print(*(each.rule for each in "
        "choices_of(['acme', 'empty'])))"
    )
    told, _ = python("-c", program)
    assert (told.split()[0], told.split()[-1]) == ("acme:SlowDown", "empty")


OFFERS = {
    "no module": ("vendors", "broken = nowhere:VENDOR", "", "ModuleNotFoundError: No module named 'nowhere'"),
    "no attribute": (
        "vendors",
        "broken = there:VENDOR",
        "",
        "AttributeError: module 'there' has no attribute 'VENDOR'",
    ),
    "an exit": ("vendors", "broken = there:VENDOR", "raise SystemExit('done')", "SystemExit: done"),
    "no vendor": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = 3",
        "its entry point names int, not a faultinject.Vendor",
    ),
    "no file": ("vendors", "broken = there:VENDOR", "VENDOR = vendor()", "FileNotFoundError: "),
    "another id": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = vendor(id='other')",
        "its entry point has another name than its id, other",
    ),
    "no title": ("vendors", "broken = there:VENDOR", "VENDOR = vendor(title=' ')", "it has no title"),
    "no rows": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = vendor(); VENDOR.errors = ()",
        "its errors.csv has no rows",
    ),
    "no addressing": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = vendor(addressing='ftp', package='faultinject_acme')",
        "KeyError: 'ftp'",
    ),
    "no operations": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = vendor(operations=('there:operations.csv',), package='faultinject_acme')",
        "AttributeError: module 'there' has no attribute '__path__'",
    ),
    "no such kind": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = vendor(package='faultinject_acme', typical={'bad': '', 'slow': 'SlowDown'})",
        "typical: 'slow' is not one of throttled, writing, own, broken, denied, missing, bad, limited",
    ),
    "no such row": (
        "vendors",
        "broken = there:VENDOR",
        "VENDOR = vendor(package='faultinject_acme', typical={'missing': 'NoSuchKy'})",
        "broken:NoSuchKy is not a documented error of broken",
    ),
    "no id": (
        "vendors",
        "Broken = there:VENDOR",
        "VENDOR = vendor(id='Broken')",
        "an id is of lower-case letters, digits and hyphens",
    ),
    "no class": (
        "faults",
        "broken = there:Broken",
        "Broken = 3",
        "its entry point names 3, not a class of faultinject.Fault",
    ),
    "another title": (
        "faults",
        "broken = there:Broken",
        "class Broken(Fault): title = 'other'",
        "its entry point has another name than its title, other",
    ),
    "no name": (
        "faults",
        "b:roken = there:Broken",
        "class Broken(Fault): title = 'b:roken'",
        "a name is of letters, digits, hyphens and underscores",
    ),
    "no effect": (
        "faults",
        "broken = there:Broken",
        "class Broken(Fault):\n    title = 'broken'\n    takes = ('when', 'colour')",
        "it takes colour, and there is no such effect",
    ),
    "no methods": (
        "faults",
        "broken = there:Broken",
        "class Broken(Fault): title = 'broken'",
        "it has no in_words and prepare",
    ),
    "its own error": (
        "faults",
        "broken = there:Broken",
        (
            "class Broken(Fault):\n    title = 'broken'\n    prepare = in_words = print\n    def "
            "__init__(self, text): raise OSError('of its\\nown')"
        ),
        "OSError: of its own",
    ),
    "no function": (
        "stores",
        "broken = there:NAME",
        "NAME = 3",
        "its entry point names int, and not what opens one",
    ),
    "no scheme": (
        "stores",
        "Bro+ken = there:NAME",
        "NAME = print",
        "a scheme is of lower-case letters, digits and hyphens",
    ),
}
MODULE = """
from faultinject import Fault, Vendor

def vendor(**given):
    given = {{"id": "broken", "title": "Broken", "content_type": "text/plain", "template": "envelope.json",
             "escape": "json", "package": "there", **given}}
    return Vendor(**given)

{}
"""
LIST = """
from faultinject import ConfigurationError, Injector, Rule, vendors
from faultinject.rules import faults, store
print([each for each in ("acme", "cos", "broken", "Broken") if each in vendors.names()])
print([each.title for each in faults.all_faults() if each.title in ("empty", "reset", "broken", "b:roken")])
for use in (lambda: Rule("broken:SlowDown"), lambda: Rule("broken"), lambda: Injector("reset", store="broken:x")):
    try:
        use()
    except ConfigurationError as error:
        print(error, end="; ")
print()
print([*vendors.plugins.problems(), *faults.plugins.problems(), *store.plugins.problems()])
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", OFFERS)
def test_a_broken_package_is_told_in_one_sentence_and_harms_nobody(python: Python, case: str) -> None:
    """A broken package is reported in one sentence with its name, and all others go on.

    It is reported in lists, and where the name is used.
    """
    group, entry, code, why = OFFERS[case]
    python.add("acme-thing 2.1", group, entry, there=MODULE.format(code))
    if case == "no file":
        (python.folder / "there.py").unlink()
        (python.folder / "there").mkdir()
        (python.folder / "there" / "__init__.py").write_text(MODULE.format(code))
    told, _ = python("-c", LIST)
    name = entry.partition(" ")[0]
    known, usable, used, problems = told.splitlines()
    assert (known, usable) == ("['acme', 'cos']", "['reset', 'empty']")
    start = f"the {group[:-1]} {name} of the package acme-thing 2.1 cannot be used: {why}"
    [sentence] = ast.literal_eval(problems)
    assert sentence.startswith(start)
    assert "\n" not in sentence
    if name == "broken":
        assert sentence in used


@pytest.mark.slow
def test_commands_tell_what_is_left_out(python: Python) -> None:
    """A list shows what can be used, and says what cannot."""
    python.add("acme-thing 2.1", "vendors", "broken = nowhere:VENDOR", "cos = nowhere:VENDOR")
    python.add("other-thing 1", "faults", "reset = nowhere:Reset", "cos = nowhere:Cos")
    listed, wrong = python("-m", "faultinject", "vendors")
    assert "broken" not in listed
    assert wrong.splitlines() == [
        (
            "faultinject: the vendor broken of the package acme-thing 2.1 cannot be used: "
            "ModuleNotFoundError: No module named 'nowhere'"
        ),
        "faultinject: the vendor cos of the package acme-thing 2.1 is left out: faultinject has one of that name",
        "faultinject: the fault cos of the package other-thing 1 is left out: faultinject has one of that name",
        "faultinject: the fault reset of the package other-thing 1 is left out: faultinject has one of that name",
    ]
    vocabulary = " ".join(python("-m", "faultinject", "check", "-h")[0].split())
    assert (
        "the fault cos of the package other-thing 1 is left out: faultinject has one of that name"
        in vocabulary
    )
    assert "the fault reset of the package other-thing 1 is left out" in vocabulary
    assert "<Code>SlowDown</Code>" in python("-m", "faultinject", "preview", "cos:SlowDown")[0]


ODD = """
from faultinject import Fault

class Odd(Fault):
    '''Something odd.

    >>> print(1)
    1
    '''

    title = "odd"
    prepare = in_words = print
"""


def test_an_example_that_makes_no_rule_is_left_out(bare: Python) -> None:
    """The help of `check` is there whatever the docstrings of others hold."""
    bare.add("odd 1", "faults", "odd = odd_fault:Odd", odd_fault=ODD)
    lines = bare("-m", "faultinject", "check", "-h")[0].splitlines()
    assert [line.split() for line in lines if line.split()[:1] == ["odd"]] == [["odd", "Something", "odd."]]


BLANK = """
from faultinject.plugins import Fault, Filter, Forward

class Zeros(Filter):
    did = "blanked"

    def change(self, piece):
        self.touched = True
        return bytes(len(piece))

class Blank(Fault):
    title = "blank"
    changes_body = True

    def in_words(self, rule):
        return "the app's own answer, all zeros"

    def prepare(self, rule):
        def act(request, entry, digest):
            entry.fault = self.text
            return Forward(entry, after=False, delay=0.0, filter=Zeros())
        return act
"""


def test_what_a_fault_of_theirs_does_is_injected(bare: Python) -> None:
    """Outcomes and counts call it injected, and exploration knows that it needs a body.

    So it is whatever word the fault writes in `did`.
    """
    bare.add("blank 1", "faults", "blank = blank_fault:Blank", blank_fault=BLANK)
    told, _ = bare(
        "-c",
        f"""{ASK}
from faultinject.testing.exploration.choices import choices_of

injector = faultinject.Injector("blank")
print(repr(ask(faultinject.WSGIFaultMiddleware(app, injector=injector))[2][:3]))
[outcome] = injector.journal.outcomes
print(outcome.did, outcome.injected, [choice.needs_body for choice in choices_of(["blank"])])
""",
    )
    assert told.splitlines() == [r"'\x00\x00\x00'", "blanked True [True]"]


def test_an_error_of_theirs_is_told_as_one(bare: Python) -> None:
    """Here of a fault that cannot be prepared: `preview` shows no answer."""
    wrong = ODD.replace(
        "prepare = in_words = print", "in_words = print\n    def prepare(self, *_): raise OSError"
    )
    bare.add("odd 1", "faults", "odd = odd_fault:Odd", odd_fault=wrong)
    said = bare("-m", "faultinject", "preview", "odd", code=2)[1]
    assert said.splitlines()[-1] == "faultinject: an error inside faultinject lets the request pass"


@pytest.mark.slow
def test_a_name_of_two_packages_is_nobodys(python: Python) -> None:
    """Two packages with the same name are refused, and the message asks to remove one."""
    python.add("acme-thing 2.1", "vendors", "acme = faultinject_acme.vendor:VENDOR")
    said = "there are 2 vendors acme, of the packages acme-thing 2.1 and faultinject-acme 1.0: uninstall all but one"
    assert said in "".join(python("-m", "faultinject", "check", "acme:SlowDown", code=2))
    assert said in python("-m", "faultinject", "vendors")[1]


def test_a_package_may_ask_for_lists_while_it_is_imported(bare: Python) -> None:
    """It is not on the list yet, and nothing goes round in circles."""
    bare.add(
        "asks 1",
        "vendors",
        "asks = asks:VENDOR",
        asks="from faultinject import vendors\nassert 'asks' not in vendors.names()\nassert 'cos' in "
        "vendors.names()\nVENDOR = 3",
    )
    told, _ = bare("-c", "from faultinject import vendors; print(vendors.plugins.problems())")
    assert "names int, not a faultinject.Vendor" in told


STORE = '''
from faultinject.exceptions import ConflictError, StoreUnavailableError
from faultinject.plugins import MemoryCounts

class Ledger:
    """For all injectors of a process that name it: what is in force, and its counts."""

    version, kept = 0, None

    def __init__(self, url):
        if url.endswith("/none"):
            raise OSError("nobody answers")
        if url.endswith("/told"):
            raise OSError(f"no answer of {url}: b refuses a with the password pass:word, a secret, or my_pass:word_")
        if url.endswith("/own"):
            raise __import__("faultinject").ConfigurationError("own words")

    def begin(self, data, *, chosen, keeps):
        if self.kept is None:
            self.publish(data, after=0, anew=True)

    def publish(self, data, *, after, anew):
        if "http:418" in data["scenario"]:
            raise RuntimeError("no teapots here")
        if "http:410" in data["scenario"]:
            raise StoreUnavailableError("gone")
        if after != self.version:
            raise ConflictError("another version is in force")
        Ledger.kept = data, MemoryCounts() if anew else self.kept[1]
        Ledger.version += 1

    def counts(self):
        return self.version, *self.kept
'''


def test_a_store_of_another_package_counts(bare: Python) -> None:
    """A store of another package has its scheme in `FAULTINJECT_STORE` and `store=`.

    Injectors that name it count together, and a change of one reaches all.
    """
    bare.add("ledger 1.0", "stores", "ledger = ledger:Ledger", ledger=STORE)
    told, _ = bare(
        "-c",
        f"""{ASK}
one, two = (faultinject.Injector("http:503,times=1", store="ledger://here") for _ in range(2))
faulty = [faultinject.WSGIFaultMiddleware(app, injector=each) for each in (one, two)]
print([ask(each)[0][:3] for each in (*faulty, *faulty)], one.seed == two.seed)
two.add("http:500,times=1")
print([ask(each)[0][:3] for each in (faulty[1], *faulty)])
two.use("http:503,times=1")
print([ask(each, **{{"wsgi.multiprocess": True}})[0][:3] for each in (faulty[1], *faulty)])
for fault in ("http:418", "http:410"):
    try:
        one.use(fault)
    except faultinject.exceptions.StoreUnavailableError as error:
        print(error, error.__cause__)
one.share_outcomes()
print(one.state.generation, two.state.generation, len(one.events()[0]))
two.use(faultinject.Scenario("http:503,path=none", abort="5xx>50%/1m,min=2"))
def broken(environ, start_response):
    start_response("500 Broken", [])
    return [b""]
print([ask(faultinject.WSGIFaultMiddleware(broken, injector=each))[0][:3] for each in (one, two)], two.enabled)
""",
    )
    assert told.splitlines() == [
        "['503', '200', '200', '200'] True",
        "['500', '200', '200']",
        "['503', '200', '200']",
        "the store ledger: RuntimeError: no teapots … None",
        "gone None",
        "3 3 4",
        "['500', '500'] True",
    ]
    told, _ = bare(
        "-c",
        "import faultinject; print(faultinject.Injector('reset').counts()['rule-1'].matched)",
        FAULTINJECT_STORE="ledger:x",
    )
    assert told == "0\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "said"),
    [
        (
            "ledgr://a:secret@b",
            "store: ledgr://…@b is not a store; use memory: or file:DIRECTORY or redis://HOST or ledger:",
        ),
        ("ledger", "store: ledger is not a store; use memory: or file:DIRECTORY or redis://HOST or ledger:"),
        ("ledger://a:secret@b/none", "the store ledger: cannot be opened: OSError: nobody answers"),
        (
            "ledger://a:pass%3Aword@b/told",
            "the store ledger: cannot be opened: OSError: no answer of ledger://…:…@…/…: … "
            "refuses … with the password …,"
            " … secret, or my_…_",
        ),
        ("ledger://a:secret@b/own", "own words"),
        (
            "broken:",
            (
                "store: the store broken of the package ledger 1.0 cannot be used: "
                "ModuleNotFoundError: No module named 'nowhere'"
            ),
        ),
        ("redis://a:secret@b/c", "store: redis://…@b/c: a database is a number, not c"),
    ],
)
def test_a_store_that_cannot_be_is_told(bare: Python, store: str, said: str) -> None:
    """No message holds a password."""
    bare.add(
        "ledger 1.0",
        "stores",
        "ledger = ledger:Ledger",
        "broken = nowhere:It",
        "redis = ledger:Ledger",
        ledger=STORE,
    )
    told, _ = bare(
        "-c",
        f"""
import faultinject
try:
    faultinject.Injector("reset", store={store!r})
except faultinject.ConfigurationError as error:
    print(error)
""",
    )
    assert told == f"{said}\n"


LAZY = f"""{ASK}
def read():
    return sorted({{"importlib.metadata", "faultinject_acme", "faultinject_empty", "msgspec"}} & set(sys.modules))

faulty = faultinject.WSGIFaultMiddleware(app, "cos:SlowDown,path=a/; s3:@throttle,bucket=b; reset,path=c/", seed=1)
print([ask(faulty, path=path)[0] for path in ("/a/x", "/b/y", "/d")], read())
faultinject.vendors.get("acme")
print(read())
"""


def test_nothing_is_looked_for_before_it_is_asked_for(python: Python) -> None:
    """Neither the start nor a request reads the metadata of packages, nor does a journal file."""
    # Without `site` and its `.pth` files: the folders of this suite's packages are named.
    path = [str(python.folder), str(ROOT), str(Path(wrapt.__file__).parents[1])]
    told, _ = python("-S", "-c", f"import sys; sys.path[:0] = {path!r}\n{LAZY}")
    first, then = told.splitlines()
    assert first.endswith(" []")
    assert then == "['faultinject_acme', 'importlib.metadata']"


def shown(plugin: str) -> dict[str, str]:
    """The blocks of the contributor's page that make a package, by file."""
    found = re.findall(rf"^```\w+ plugin={plugin}/(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    if plugin == "acme":
        folder = re.findall(r"^```\w+ file=vendors/acme/(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        found += [(f"faultinject_acme/{path}", text) for path, text in folder]
    return dict(found)


def test_all_that_is_wrong_is_in_one_list(bare: Python) -> None:
    """`faultinject vendors` tells what is wrong with packages of every kind, and of taken names."""
    for group, name in (("faults", "odd"), ("stores", "odd"), ("embedded_stores", "s3"), ("vendors", "s3")):
        bare.add(f"{group} 1.0", group, f"{name} = nothing_there:X")
    _, told = bare("-m", "faultinject", "vendors")
    broken = "of the package {} 1.0 cannot be used: ModuleNotFoundError: No module named 'nothing_there'"
    taken = "of the package {} 1.0 is left out: faultinject has one of that name"
    assert told.splitlines() == [
        f"faultinject: the vendor s3 {taken.format('vendors')}",
        f"faultinject: the fault odd {broken.format('faults')}",
        f"faultinject: the store odd {broken.format('stores')}",
        f"faultinject: the embedded store s3 {taken.format('embedded_stores')}",
    ]


[COUNTS] = re.findall(r"^```python counts=ledger\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_pages_store_counts(bare: Python) -> None:
    """Injectors that name the page's store count together, and a change of one reaches both."""
    bare.add("ledger 1.0", "stores", "ledger = ledger:Ledger", ledger=COUNTS)
    told, _ = bare(
        "-c",
        f"""{ASK}
one, two = (faultinject.Injector("http:503,times=1", store="ledger://here") for _ in range(2))
faulty = [faultinject.WSGIFaultMiddleware(app, injector=each) for each in (one, two)]
print([ask(each)[0][:3] for each in (*faulty, *faulty)])
two.use("http:500,times=1")
print([ask(each)[0][:3] for each in (*faulty, *faulty)])
""",
    )
    assert told.splitlines() == ["['503', '200', '200', '200']", "['500', '200', '200', '200']"]


[ROW] = re.findall(r"^```python store=acme\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
UPLOAD = """
import os, urllib.request

def ask(method, path, data=None):
    request = urllib.request.Request(os.environ["ENDPOINT"] + path, data, method=method)
    try:
        return urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return urllib.request.urlopen(request).read()

ask("PUT", "/photos")
ask("PUT", "/photos/cat", b"meow")
"""


@pytest.mark.slow
def test_everybody_who_needs_a_store_knows_theirs(python: Python) -> None:
    """`Storage`, `explore` and `conformance` use the table of `serve`, with the row's client."""
    python.add("acme-store 1.0", "embedded_stores", "acme = acme_store:STORE", acme_store=ROW)
    told, _ = python(
        "-c",
        f"""
import os, faultinject
from faultinject.conformance.driving import store

storage = faultinject.Storage("acme")
os.environ["ENDPOINT"] = storage.url
exec({UPLOAD!r})
print(ask("GET", "/photos/cat").decode(), storage.client, storage.client_kwargs["endpoint_url"] == storage.url)
storage.close()
print(store("acme", []))
""",
    )
    assert told.splitlines() == ["meow boto3.client True", "<ObjectStore acme>"]
    command = ("-r", "acme:SlowDown", "--", sys.executable, "-c", UPLOAD)
    told, _ = python("-m", "faultinject", "explore", *command)
    assert told.startswith("2 requests without faults, 1 fault; 2 runs in ")


def test_a_row_that_is_none_is_told(python: Python) -> None:
    """The vendor is refused in one sentence, which names the package."""
    python.add("acme-store 1.0", "embedded_stores", "acme = acme_store:STORE", acme_store="STORE = {}")
    _, told = python("-m", "faultinject", "serve", "--vendor", "acme", code=2)
    assert told == (
        "faultinject: the embedded store acme of the package acme-store 1.0 cannot be used:"
        " its entry point names dict, and not a VendorStore\n"
    )


@pytest.mark.parametrize("plugin", ["acme", "empty"])
def test_the_page_shows_what_is_installed_here(plugin: str) -> None:
    """Whoever copies the page's blocks has the packages of these tests, file by file."""
    assert shown(plugin) == files_of(plugin)


@pytest.mark.parametrize("plugin", ["acme", "empty"])
def test_the_packages_need_the_promised_modules_alone(plugin: str) -> None:
    """A package imports from `faultinject.plugins` and `faultinject.exceptions`."""
    found = {
        module
        for text in files_of(plugin).values()
        for module in re.findall(r"^(?:from|import) (faultinject[\w.]*)", text, re.MULTILINE)
        if not module.startswith("faultinject_")
    }
    assert found == {"faultinject.plugins"}


def test_the_guide_shows_the_same_package() -> None:
    """The how-to guide has the contributor's page's vendor, file by file, and a test of its own."""
    guide = (ROOT / "docs" / "how-to" / "your-own-vendor.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    assert found.pop("test_acme.py")
    assert found == files_of("acme")


def files_of(plugin: str) -> dict[str, str]:
    """The files of a package of these tests."""
    return {
        str(path.relative_to(HERE / plugin)): path.read_text(encoding="utf-8")
        for path in (HERE / plugin).rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    }
