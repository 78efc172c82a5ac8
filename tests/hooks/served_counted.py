"""The usual line of code around a plain app."""

import served

import faultinject

wsgi = faultinject.install(served.wsgi)
asgi = faultinject.install(served.asgi)
