"""`inject()`: for its block, these rules instead of everybody's."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from werkzeug.test import Client

from faultinject import Injector, Rule, Scenario, WSGIFaultMiddleware, inject
from faultinject.exceptions import ConfigurationError, RuleNotMatchedError
from tests.asking import app
from tests.console import plain_environment as plain_environment  # a fixture
from tests.refusals import refusal
from tests.rows import each_row


@pytest.fixture
def get():
    """`get(path)`: the status that an app with rules of its own gives."""
    return getter("http:599,path=own/")


def getter(rules):
    client = Client(WSGIFaultMiddleware(app, rules))
    return lambda path="/", method="GET": client.open(path, method=method).status_code


def test_for_the_block_and_not_beyond(get):
    """Rules take the place of those of every middleware, and give it back, whatever happens.

    Also of one that is made within the block.
    """
    other = getter([])
    assert [get("/own/a"), other("/own/a")] == [599, 200]
    with pytest.raises(LookupError), inject("http:503,path=own/") as faults:
        made = getter([])
        assert [get("/own/a"), other("/own/a"), made("/own/a"), get("/else")] == [503, 503, 503, 200]
        raise LookupError
    assert [get("/own/a"), other("/own/a"), made("/own/a")] == [599, 200, 200]
    assert (faults.injected, faults.attempts) == (3, 4)


def test_async_with(get):
    """The same under async with."""

    async def block():
        async with inject("http:503", times=1) as faults:
            return [get(), get()], faults.injected

    assert (asyncio.run(block()), get()) == (([503, 200], 1), 200)


def test_nested_the_inner_counts(get):
    """The innermost block stands; the outer goes on where it was."""
    with inject("http:503", times=2) as outer:
        assert get() == 503
        with inject("http:500") as inner:
            assert get() == 500
        assert [get(), get()] == [503, 200]
    assert (outer.injected, outer.attempts, inner.injected, inner.attempts) == (2, 3, 1, 1)


def test_in_threads(get):
    """Everywhere in the process: threads of a live server, whoever started them."""
    with inject("http:503", times=30) as faults, ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: get(), range(80)))
    assert (statuses.count(503), statuses.count(200)) == (30, 50)
    assert (faults.injected, faults.attempts) == (30, 80)


def test_blocks_that_end_out_of_order(get):
    """Two threads' blocks: each end takes away its own."""
    one, two = inject("http:500"), inject("http:503")
    one.__enter__()
    with two:
        one.__exit__(None, None, None)
        assert get() == 503
    assert get() == 200


def test_one_block_again(get):
    """A block may be entered again, with its first rules and seed, and counts from zero."""
    faults = inject("http:503,delay=1ms", times=2)
    seed = faults.seed
    for _ in range(2):
        with faults:
            assert [get() for _ in range(3)] == [503, 503, 200]
            assert (faults.injected, faults.attempts, len(faults.calls)) == (2, 3, 1)
            faults.clear()
            assert get() == 200
        assert faults.seed == seed
    assert get() == 200
    assert (faults.injected, faults.attempts) == (2, 4)


def test_one_block_within_itself(get):
    """A block within itself counts for itself, and the outer one goes on."""
    faults = inject("http:503", times=2)
    with faults:
        assert get() == 503
        with faults:
            assert [get() for _ in range(3)] == [503, 503, 200]
        assert [get(), get()] == [503, 200]
        assert (faults.injected, faults.attempts) == (2, 3)
    assert get() == 200


def test_what_is_added_before_the_block_is_in_each(get):
    """It is a part of what the block begins with."""
    faults = inject("http:503", times=1)
    faults.add("http:500", times=1)
    for _ in range(2):
        with faults:
            assert [get() for _ in range(3)] == [503, 500, 200]


def test_a_decorator(get):
    """A decorated function, recursive too, counts from zero in each call; its result is kept."""

    @inject("http:503", times=2)
    def ask(number, *, again=False):
        """Say what comes."""
        found = [get() for _ in range(number)]
        return found + ask(number) if again else found

    for _ in range(2):
        assert ask(3) == [503, 503, 200]
    assert ask(1, again=True) == [503, 503]
    assert ask(3, again=True) == [503, 503, 200, 503, 503, 200]
    assert (ask.__name__, ask.__doc__, get()) == ("ask", "Say what comes.", 200)


def test_a_decorator_of_what_awaits_and_of_what_yields(get):
    """The block lasts until their end: of a fixture that yields, until it is torn down."""
    faults = inject("http:503", times=2)
    ended = []

    @contextmanager
    def ending():
        yield
        ended.append(get())

    @faults
    def each():
        with ending():
            yield get()

    @faults
    async def each_awaited():
        with ending():
            yield get()

    async def main():
        return [[status, get(), get()] async for status in each_awaited()]

    assert asyncio.run(main()) == [[503, 503, 200]]
    assert [[status, get()] for status in each()] == [[503, 503]]
    assert (ended, get()) == ([200, 200], 200)


def test_a_decorator_of_what_gives_a_coroutine(get):
    """An `async def`, and a callable that returns a coroutine, are decorated, each call anew.

    Also where the block is begun by its call.
    """

    async def asks():
        await asyncio.sleep(0)
        return [get() for _ in range(3)]

    class Asks:
        async def __call__(self):
            return await asks()

    for each in (asks, Asks(), lambda: asks()):  # noqa: PLW0108 - a plain function that gives what another one does
        assert asyncio.run(inject("http:503", times=2)(each)()) == [503, 503, 200]
    assert get() == 200


def test_a_decorator_above_another_one_of_a_method(get):
    """A decorated method may have other decorators; an object that is not callable is a mistake.

    In a class that is no test. Such an object would stand there untouched.
    """

    class Asks:
        @inject("http:503", times=1)
        @staticmethod
        def static():
            return [get(), get()]

        @inject("http:503", times=1)
        @classmethod
        def of_class(cls):
            return [get(), get(), cls]

    assert (Asks().static(), Asks.of_class()) == ([503, 200], [503, 200, Asks])
    with pytest.raises(ConfigurationError, match="decorates functions and classes: <property object"):
        inject("http:503")(property(get))


def test_a_decorator_of_classes(get):
    """A decorated class covers its test methods, inherited ones too; one without is a mistake."""

    class Base:
        def test_inherited(self):
            return [get(), get()]

    @inject("http:503", times=1)
    class Tests(Base):
        tests = ("not", "a", "method")

        def test_own(self):
            return [get(), get(), self.ask()]

        @staticmethod
        def test_static():
            return [get(), get()]

        @classmethod
        def test_class(cls):
            return [get(), cls.__name__]

        async def test_awaited(self):
            return [get(), get()]

        def ask(self):
            return get()

    tests = Tests()
    assert tests.test_inherited() == tests.test_static() == asyncio.run(tests.test_awaited()) == [503, 200]
    assert (tests.test_own(), tests.test_class()) == ([503, 200, 200], [503, "Tests"])
    assert (tests.ask(), Base().test_inherited()) == (200, [200, 200])
    with pytest.raises(ConfigurationError, match=r"begin with 'test': .*Helper has none"):

        @inject("http:503")
        class Helper:
            def ask(self):
                return get()


@each_row(
    ("given", "keys"),
    [
        (["http:503,method=GET"], {}),
        (["http:500,path=no http:503"], {}),
        ([Rule("http:503")], {}),
        (["http:500,path=no", Rule("http:503")], {}),
        ([Scenario("http:503", seed=3)], {}),
        (["http:503"], {"method": ["GET"], "path": "**", "unless": {"path": "no"}, "name": "n", "times": 1}),
    ],
)
def test_spellings_of_rules(get, given, keys):
    """Text, several in one text, Rule, several arguments, a Scenario, keys."""
    with inject(*given, **keys) as faults:
        assert (get(), faults.injected) == (503, 1)


MISSING = r"^there is no rule: give one, such as 'cos:SlowDown,times=2'$"
ONE = "times: keys need exactly one fault, such as 'cos:SlowDown'"
TWICE = "method: given in the rule itself and as a key"


@each_row(
    ("given", "keys", "says"),
    [
        (["cos:Slowdown"], {}, "did you mean cos:SlowDown"),
        (["http:503"], {"seed": 1.5}, "seed"),
        # An empty text is a rule that somebody forgot.
        ([""], {}, MISSING),
        ([" ; \n"], {}, MISSING),
        # Keys beside two rules name none of them; and no key is given twice.
        *(
            (rules, {"times": 1}, ONE)
            for rules in (
                ["http:503 http:500"],
                ["http:503", "http:500"],
                [Rule("http:503"), "http:503"],
                [""],
            )
        ),
        (["http:503,method=GET"], {"method": "PUT"}, TWICE),
        ([Rule("http:503", method="GET")], {"method": "PUT"}, TWICE),
        # A Scenario has rules and seed already.
        ([Scenario("http:503"), "http:500"], {}, "a Scenario stands alone"),
        ([Scenario("http:503")], {"times": 1}, "a Scenario stands alone"),
    ],
)
def test_mistakes(given, keys, says):
    """Every one is raised before the block, at the call."""
    with pytest.raises(ConfigurationError, match=says):
        inject(*given, **keys)


def test_no_rule_at_all():
    """It is a mistake; a Scenario without rules is asked for."""
    with pytest.raises(TypeError):
        inject()
    with inject(Scenario([])) as faults:
        assert faults.rules == ()


@each_row("rule", ["http:503,method=GET,header.x=", Rule("http:503", method="GET", header={"x": ""})])
def test_keys_beside_those_of_the_rule(rule):
    """One rule with keys of its own takes more of them."""
    [whole] = inject(rule, times=1, unless={"path": "a"}, delay=1).rules
    assert str(whole) == "http:503,method=GET,header.x=,unless.path=a,times=1,delay=1s"


def test_seeds(monkeypatch):
    """seed= overrides the scenario's, which overrides FAULTINJECT_SEED; else one is chosen."""
    monkeypatch.setenv("FAULTINJECT_SEED", "env")
    of_scenario = Scenario("http:503", seed=5)
    blocks = inject("http:503"), inject(of_scenario), inject(of_scenario, seed="x")
    assert [each.seed for each in blocks] == ["env", "5", "x"]
    monkeypatch.delenv("FAULTINJECT_SEED")
    assert inject("http:503").seed != inject("http:503").seed


def test_replay(get):
    """One seed, one series; rules that are added change no draw of those in force."""

    def drawn(seed, *more):
        with inject("http:503", probability=0.5, seed=seed) as faults:
            first = [get(f"/k{number}") for number in range(20)]
            for each in more:
                faults.add(each)
            return first + [get(f"/k{number}") for number in range(20, 64)]

    assert drawn(7) == drawn(7) == drawn(7, "http:500,path=elsewhere") != drawn(8)


def test_add_and_clear(get):
    """Added rules stand behind those in force, whose counts go on.

    `clear` takes all rules away: past outcomes stay on record, and later requests are recorded too.
    """
    with inject("http:503", times=2) as faults:
        assert get() == 503
        faults.add("http:500", times=1)
        rules = [str(each) for each in faults.rules]
        assert (rules, get(), get(), get()) == (["http:503,times=2", "http:500,times=1"], 503, 500, 200)
        with pytest.raises(ConfigurationError):
            faults.add("http:5")
        faults.add(Scenario("http:502,name=last"))
        assert get() == 502
        faults.clear()
        assert (get(), faults.rules) == (200, ())
    assert (faults.injected, faults.attempts) == (4, 6)


def test_pause(get):
    """Paused requests get no fault, count or record, in nested and repeated pauses too."""
    with inject("http:503", times=3) as faults:
        own = faults.pause()
        for inner in own, faults.pause():
            assert get() == 503
            with own:
                assert get("/own/a") == 200
                with inner:
                    assert get() == 200
                assert get() == 200
        assert [get(), get()] == [503, 200]
    assert (faults.injected, faults.attempts) == (3, 4)


def test_a_pause_cuts_no_delay_short(get):
    """Faults of other threads that are under way are waited out."""
    with ThreadPoolExecutor(1) as thread, inject("http:503", delay="1h") as faults:
        found = thread.submit(get)
        while not faults.outcomes and found.running():
            pass
        with faults.pause():
            assert get() == 200
        assert found.running()
    assert found.result() == 503


def test_assert_all_fired(get):
    """The failure names each rule that injected nothing, and whether requests matched it."""
    with inject("http:503,path=a", "http:500,path=b,probability=0,name=never", "http:502,path=c") as faults:
        assert [get("/a"), get("/b")] == [503, 200]
        error = refusal(faults.assert_all_fired, sort=RuleNotMatchedError)
    assert isinstance(error, AssertionError)
    assert re.fullmatch(
        r"never \(http:500,path=b,probability=0,name=never\) injected nothing: 1 request met its conditions\n"
        r"rule-3 \(http:502,path=c\) injected nothing: .*",
        str(error),
    )
    with inject("http:503") as faults:
        get()
        faults.assert_all_fired()


def test_a_request_within_a_request(get):
    """Outcomes are in order of arrival: a request precedes those that its app makes."""

    def calling(environ, start_response):
        get("/storage")
        start_response("200 OK", [])
        return [b""]

    with inject("http:503,path=/storage") as faults:
        Client(WSGIFaultMiddleware(calling, [])).get("/upload")
    assert [each.path for each in faults.outcomes] == ["/upload", "/storage"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("FAULTINJECT_ENABLED", "0", []), ("APP_ENV", "Production", [("ERROR", True)])],
)
def test_switched_off(monkeypatch, get, caplog, name, value, said):
    """The kill switch overrides a block too; in production it does nothing, and says so."""
    monkeypatch.setenv(name, value)
    with inject("http:503") as faults:
        assert get() == 200
    assert faults.attempts == 0
    assert [(each.levelname, "looks like production" in each.getMessage()) for each in caplog.records] == said


def test_an_app_that_is_switched_off_takes_part():
    """A block is for every middleware, also one whose own rules are disabled or have expired."""
    injector = Injector("http:599", environ={"FAULTINJECT_EXPIRES": "0s"})
    injector.disable()
    client = Client(WSGIFaultMiddleware(app, injector=injector))
    assert client.get("/").status_code == 200
    with inject("http:503"):
        assert client.get("/").status_code == 503
    assert client.get("/").status_code == 200


@pytest.mark.slow
def test_numbers_are_exact_beyond_the_ring(get):
    """The journal forgets its oldest lines; how many there were stays known."""
    with inject("http:503", method="PUT", times=10_100) as faults:
        for _ in range(10_200):
            get(method="PUT")
    numbers = (faults.injected, faults.attempts, len(faults.outcomes), faults.injector.journal.dropped)
    assert numbers == (10_100, 10_200, 10_000, 200)


@pytest.fixture
def wall(monkeypatch):
    """A wall clock that `by` moves, as test packages do; the monotonic one goes on."""
    import time

    class Wall:
        by = 0.0

        def __call__(self):
            return time.time() + self.by

    found = Wall()
    monkeypatch.setattr("faultinject.injector.injector.WALL", found)
    monkeypatch.setitem(Injector.__init__.__kwdefaults__, "clock", found)
    return found


@pytest.mark.parametrize("by", [4 * 365 * 86_400.0, -4 * 365 * 86_400.0])
def test_a_test_that_travels_in_time_moves_no_begin_and_end(get, wall, by):
    """They are measured from when the rules took effect, also after single ones have changed."""
    with inject("http:503,end=1h http:500,begin=1h") as faults:
        wall.by = by
        assert get() == 503
        faults.add("http:502,end=1h,path=b")
        assert [get("/a"), get("/b")] == [503, 503]
        faults.clear()
        faults.add("http:502,end=1h")
        wall.by = 0.0
        assert get() == 502
    with inject("http:503,begin=1h") as faults:
        wall.by = by
        assert get() == 200
        with pytest.raises(RuleNotMatchedError, match=r"it came after [1-5]?\d\.\d+s, outside of begin=1h\)"):
            faults.assert_all_fired()
