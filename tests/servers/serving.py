"""Servers that are started by Python: `python serving.py NAME PORT-or-path [certificate]`."""

import sys

from apps import wsgi


def werkzeug(place, certificate):
    """The development server, threaded, with keep-alive."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    WSGIRequestHandler.log_request = lambda *_: None
    host, port = ("127.0.0.1", int(place)) if place.isdecimal() else (f"unix://{place}", 0)
    server = make_server(
        host, port, wsgi, threaded=True, ssl_context=certificate and (certificate, certificate)
    )
    server.daemon_threads = True
    server.serve_forever()


def faultinject(place, certificate):
    """The middleware that `faultinject serve` puts around a WSGI app, with and without `--tls`."""
    import ssl

    from faultinject.cli.listening import listen, wsgi_server
    from faultinject.server.certificates import Certificate

    encrypted = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        encrypted = Certificate(certificate, context)
    wsgi_server(wsgi, certificate=encrypted).run(sockets=[listen("127.0.0.1", int(place))])


def gevent(place, certificate):
    """Greenlets, and nothing is patched."""
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", int(place)), wsgi, log=None).serve_forever()


def waitress(place, certificate):
    """Four threads."""
    from waitress import serve

    serve(wsgi, host="127.0.0.1", port=int(place))


def cheroot(place, certificate):
    """Ten threads; by itself it ends an eleventh connection after its answer."""
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", int(place)), wsgi)
    server.keep_alive_conn_limit = None
    if certificate:
        from cheroot.ssl.builtin import BuiltinSSLAdapter

        server.ssl_adapter = BuiltinSSLAdapter(certificate, certificate)
    server.safe_start()


def wsgiref(place, certificate):
    """One thread, one request at a time, HTTP/1.0."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    WSGIRequestHandler.log_message = lambda *_: None
    make_server("127.0.0.1", int(place), wsgi).serve_forever()


if __name__ == "__main__":
    _, name, place, *rest = sys.argv
    globals()[name](place, rest[0] if rest else None)
