"""One request to an app behind the middleware, without a server."""

from faultinject import WSGIFaultMiddleware


def app(environ, start_response):
    """An app that has nothing but good to say."""
    start_response("200 OK", [])
    return [b"app"]


def ask(injector, path="/", method="GET", *, app=app, **more):
    """Status and headers of the answer to one request, which is read and closed."""
    heads = []

    def start_response(status, headers, *_):
        heads.append((int(status[:3]), dict(headers)))
        return bytes

    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", **more}
    answer = WSGIFaultMiddleware(app, injector=injector)(environ, start_response)
    b"".join(answer)
    getattr(answer, "close", bytes)()
    return heads[-1]


def get(injector, path="/", method="GET", **more):
    """The status of one request."""
    return ask(injector, path, method, **more)[0]
