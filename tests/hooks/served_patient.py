"""The usual line of code around a plain app, on a machine that may be busy: a Redis server is given its time."""

import served

import faultinject
from faultinject.counts import waiting

waiting.answer = 10.0
wsgi = faultinject.install(served.wsgi)
asgi = faultinject.install(served.asgi)
