"""The servers of the loopback cases: `python serving.py APP VARIANT PORT` serves one.

APP is `raw` or `fastapi` (uvicorn) or `flask` or `wsgi` (gunicorn, threads). VARIANT is `bare`, `all`, `some` (30 %),
`times` (30 %, counted), `never` (matched, and never injected), `unmatched`, `hang`, `delay` (an hour), `base`
(BaseHTTPMiddleware that answers 30 %) or `noop`.
"""

import os
import random
import sys
from pathlib import Path
from typing import Any

from apps import NoopASGI, NoopWSGI, around, fastapi_hello, flask_hello, trivial_asgi, trivial_wsgi

RULES = {
    "all": "cos:SlowDown",
    "some": "cos:SlowDown,probability=0.3",
    "hang": "hang,delay=1h",
    "delay": "latency,delay=1h",
    "times": "cos:SlowDown,probability=0.3,times=1000000000",
    "never": "cos:SlowDown,probability=0",
    "unmatched": "cos:SlowDown,path=elsewhere/",
}
APPS = {
    "raw": lambda: trivial_asgi,
    "fastapi": fastapi_hello,
    "flask": flask_hello,
    "wsgi": lambda: trivial_wsgi,
}
THREADED = ("flask", "wsgi")
SHARE = 0.3


def made(app: str, variant: str) -> Any:
    """The app of a name in a variant."""
    found = APPS[app]()
    if variant in RULES:
        return around(found, RULES[variant])
    if variant == "noop":
        if app == "flask":
            found.wsgi_app = NoopWSGI(found.wsgi_app)
            return found
        return NoopASGI(found)
    if variant == "base":
        return _by_base_middleware(found)
    return found


def _by_base_middleware(app: Any) -> Any:
    """The same 30 % in the way that tutorials do it."""
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import Response

    from faultinject import vendors

    vendor = vendors.get("cos")
    error = vendor.find("SlowDown")
    body = vendor.render(
        code=error.code, message=error.message, status=503, resource="/", ids=vendor.make_ids(bytes(64), 0)
    )

    class Failing(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            if random.random() < SHARE:
                return Response(body, 503, media_type="application/xml")
            return await call_next(request)

    return Failing(app)


def main(app: str, variant: str, port: int) -> None:
    if app not in THREADED:
        import uvicorn

        uvicorn.run(made(app, variant), host="127.0.0.1", port=port, log_level="error", access_log=False)
        return
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--log-level", "error",
        "--threads", os.environ.get("THREADS", "4"), "--workers", os.environ.get("WORKERS", "1"), "--chdir", str(Path(__file__).parent),
    ]  # fmt: skip
    os.execv(sys.executable, [*command, f"serving:made({app!r}, {variant!r})"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
