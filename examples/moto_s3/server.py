"""moto's S3 server with faults in front of it, put there by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import faultinject


class Quiet(WSGIRequestHandler):
    """Writes no access log."""

    def log_request(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def s3_with_faults(rules: str) -> Iterator[tuple[str, faultinject.Injector]]:
    """The address of a server that lives for the block, and the injector around it."""
    app = faultinject.WSGIFaultMiddleware(DomainDispatcherApplication(create_backend_app), rules, seed=1)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", app.injector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
