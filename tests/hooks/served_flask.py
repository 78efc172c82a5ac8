"""Flask's apps, as people build them."""

import flask
from served import HEADERS, text
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix


class Outer(flask.Flask):
    """Has a way in of its own, and goes on to Flask's."""

    def __call__(self, environ, start_response):
        environ["outer"] = True
        return super().__call__(environ, start_response)


class Own(flask.Flask):
    """Has a way in of its own that Flask's is no part of."""

    def __call__(self, environ, start_response):
        return self.wsgi_app(environ, start_response)


def make_app(kind=flask.Flask):
    app = kind("served")

    @app.get("/", defaults={"path": ""})
    @app.get("/<path:path>")
    def get(path):
        return flask.Response(text(flask.request.path), headers=HEADERS)

    return app


app = make_app()
outer = make_app(Outer)
own = make_app(Own)
fixed = make_app()
fixed.wsgi_app = ProxyFix(fixed.wsgi_app)
mounted = DispatcherMiddleware(make_app(), {"/photos": make_app()})

if __name__ == "__main__":
    import sys

    app.run(port=int(sys.argv[1]))
