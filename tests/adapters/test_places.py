"""A fault keeps its place of `FAULTINJECT_MAX_ACTIVE` until it is done, not the answer."""

import pytest

from faultinject import Injector, WSGIFaultMiddleware

from .conftest import make_environ, serve_wsgi
from .transport import App, Taking

FIRST, SECOND = b"x" * 1000, b"the end"


class Asking(Taking):
    """An app that gets another request before it begins its answer, or after the first piece.

    Attributes:
        answered: the statuses that these requests got.
    """

    def __init__(self, injector, **how):
        super().__init__(FIRST, SECOND, **how)
        self.answered = []
        self._inner = WSGIFaultMiddleware(App().wsgi, injector=injector)

    def begin(self):
        self._ask()
        super().begin()

    def __iter__(self):
        for piece in super().__iter__():
            yield piece
            if piece is FIRST:
                self._ask()

    def _ask(self):
        self.answered.append(serve_wsgi(self._inner, make_environ(target="/inner")).status)


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("latency,delay=1ms", [503, 503]),
        ("stall,duration=1ms", [503, 503]),
        ("stall,duration=1ms,after_bytes=5", [503, 503]),
        ("latency,delay=1ms,when=after", [200, 503]),
        ("edit,set.x-a=b", [200, 503]),
        ("corrupt,flips=1", [200, 503]),
        ("stall,duration=1ms,when=after,after_bytes=5", [200, 503]),
        ("stall,duration=1ms,when=after,after_bytes=1003", [200, 200]),
        ("drip,rate=1GB", [200, 200]),
    ],
)
def test_a_place_is_free_when_nothing_more_is_done(send, length, rule, given):
    """A request during the answer gets its fault, however long the app goes on."""
    injector = Injector(
        f"{rule},path=/outer http:503,path=/inner", seed="places", environ={"FAULTINJECT_MAX_ACTIVE": "1"}
    )
    app = Asking(injector, length=length)
    send(injector, "PUT", "/outer", body=b"0123456789", app=app)
    assert app.answered == given
    assert [each.injected for each in injector.journal.outcomes if each.path == "/outer"][-1]
    [first] = [each.did for each in injector.journal.outcomes if each.path == "/inner"][:1]
    assert first == ("answered" if given[0] == 503 else "refused")
