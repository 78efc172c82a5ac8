"""`abort=5xx>5%/1m`: how it is written, and what is said of mistakes."""

import pickle

from jsonschema import Draft202012Validator

from faultinject import Injector, Scenario
from faultinject.rules.environment import read_environment
from faultinject.rules.schema import rules_schema
from tests.refusals import refusal
from tests.rows import each_row

SCHEMA = Draft202012Validator(rules_schema())
RIGHT = [
    ("5xx>5%/1m", "5xx>5%/1m"),
    (" 5xx > 0.5% / m, min = 50 ", "5xx>0.5%/m,min=50"),
    ("5xx>0%/1s,min=1", "5xx>0%/1s,min=1"),
    ("5xx>5%/1m, injected=yes, min=50", "5xx>5%/1m,injected=yes,min=50"),
    ("5xx>99.5%/1h,min=1000000", "5xx>99.5%/1h,min=1000000"),
]
WRONG = [
    ("", '"" does not begin with 5xx, as in 5xx>5%/1m'),
    ("4xx>5%/1m", "4xx>5%/1m does not begin with 5xx, as in 5xx>5%/1m"),
    ("5XX>5%/1m", "5XX>5%/1m does not begin with 5xx; did you mean 5xx>5%/1m?"),
    ("5XX", "5XX does not begin with 5xx, as in 5xx>5%/1m"),
    ("5xx", "5xx is not such as 5xx>5%/1m; a shell needs it in quotes, for > names a file there"),
    ("5xx>", "5xx> is not such as 5xx>5%/1m; a shell needs it in quotes, for > names a file there"),
    ("5xx>5%", "5xx>5% has no window; did you mean 5xx>5%/1m?"),
    ("5xx>0.05/1m", "0.05 has no %; did you mean 5xx>5%/1m?"),
    ("5xx>0.003/2m", "0.003 has no %; did you mean 5xx>0.3%/2m?"),
    ("5xx>1/10s", "1 has no %; did you mean 5xx>1%/10s?"),
    ("5xx>100%/1m", "100% is not a share from 0% to below 100%"),
    ("5xx>-1%/1m", "-1% is not a share from 0% to below 100%"),
    ("5xx>%/1m", "% is not a share from 0% to below 100%"),
    ("5xx>5%/", '"" is not a duration such as 200ms, 5s, 10m or 1h'),
    ("5xx>5%/60", "60 has no unit; did you mean 60s?"),
    ("5xx>5%/999ms", "999ms is shorter than 1s"),
    ("5xx>5%/61m", "61m is longer than 1h"),
    (
        "5xx>5%/1m,",
        '"" is not min= and a number of requests, or injected=yes, as in 5xx>5%/1m,min=50,injected=yes',
    ),
    (
        "5xx>5%/1m,max=5",
        "max=5 is not min= and a number of requests, or injected=yes, as in 5xx>5%/1m,min=50,injected=yes",
    ),
    (
        "5xx>5%/1m,min",
        "min is not min= and a number of requests, or injected=yes, as in 5xx>5%/1m,min=50,injected=yes",
    ),
    ("5xx>5%/1m,injected=perhaps", "injected: perhaps is not yes or no"),
    (
        "5xx>5%/1m,min=5,min=6",
        "min=6 is not min= and a number of requests, or injected=yes, as in 5xx>5%/1m,min=50,injected=yes",
    ),
    ("5xx>5%/1m,min=0", "min: 0 is not a whole number of 1 or more"),
    ("5xx>5%/1m,min=1000001", "min: 1000001 is more than 1000000"),
]


@each_row(("text", "canonical"), RIGHT)
def test_what_is_right(text, canonical):
    """In every spelling the same, without blanks, and it comes back."""
    scenario, without = Scenario("http:503", seed=1, abort=text), Scenario("http:503", seed=1)
    environ = {"FAULTINJECT_RULES": "http:503", "FAULTINJECT_SEED": "1", "FAULTINJECT_ABORT": text}
    again = [
        Scenario.from_toml(scenario.to_toml()),
        Scenario.from_json(scenario.to_json()),
        Scenario.from_env(environ),
        pickle.loads(pickle.dumps(scenario)),
    ]
    assert again == [scenario] * 4
    assert scenario != without and hash(scenario) != hash(without)
    shown = f"Scenario('http:503', seed='1', abort={canonical!r})"
    assert (scenario.abort, repr(scenario)) == (canonical, shown)
    assert SCHEMA.is_valid({"abort": canonical})


@each_row(("text", "said"), WRONG)
def test_what_is_wrong(text, said):
    """The same is said wherever it is written."""
    in_python = refusal(Scenario, abort=text)
    in_toml = refusal(Scenario.from_toml, f'seed = "1"\nabort = "{text}"', where="a.toml")
    assert [str(in_python), str(in_toml)] == [f"abort: {said}", f"a.toml:2: abort: {said}"]
    if text:
        environ = {"FAULTINJECT_ABORT": text}
        read = refusal(Scenario.from_env, environ), refusal(Injector, "http:503", environ=environ)
        assert [str(each) for each in read] == [f"FAULTINJECT_ABORT: {said}"] * 2


def test_other_types():
    """Text is what it is."""
    told = refusal(Scenario, abort=5), refusal(Scenario.from_json, '{"abort": ["5xx"]}')
    assert [str(each) for each in told] == [
        f"abort: {shown} is not text such as 5xx>5%/1m" for shown in ("5", "['5xx']")
    ]


def test_canonical_files():
    """Seed first, then the bound, then the rules."""
    assert (
        Scenario("http:503", abort="5xx>5%/1m").to_toml()
        == 'abort = "5xx>5%/1m"\n\n[[rules]]\nfault = "http:503"\n'
    )
    assert Scenario((), seed=1, abort="5xx>5%/1m").to_toml() == 'seed = "1"\nabort = "5xx>5%/1m"\n'
    assert "abort" not in Scenario("http:503").to_json()


def test_the_variable_stands_above_the_file(tmp_path):
    """As the seed's does; what the file says stays with its scenario."""
    file = tmp_path / "rules.toml"
    file.write_text('abort = "5xx>5%/1m"\n[[rules]]\nfault = "http:503"\n')
    environ = {"FAULTINJECT_FILE": str(file), "FAULTINJECT_ENABLED": "1"}
    above = {**environ, "FAULTINJECT_ABORT": "5xx>1%/1m"}
    found = [read_environment(each, now=0) for each in (environ, above)]
    assert [(each.abort, each.scenario.abort) for each in found] == [
        (None, "5xx>5%/1m"),
        ("5xx>1%/1m", "5xx>1%/1m"),
    ]
    alone = read_environment(above, now=0, rules_given=True)
    assert (alone.abort, alone.scenario) == ("5xx>1%/1m", None)
