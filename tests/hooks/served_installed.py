"""Apps whose code has faults of its own, the same rules as everybody's."""

import served
import served_flask
import served_starlette
from starlette.applications import Starlette
from starlette.routing import Mount

import faultinject

wsgi = faultinject.install(served.wsgi)
asgi = faultinject.install(served.asgi)
flask = faultinject.install(served_flask.make_app())
starlette = faultinject.install(Starlette(routes=served_starlette.record_all))
mounted = Starlette(routes=[Mount("/", app=faultinject.install(served_starlette.make_fastapi()))])
mounted.add_middleware(faultinject.ASGIFaultMiddleware)
