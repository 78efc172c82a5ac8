"""Servers that a line of Python starts: `serving.py NAME PORT MODULE:APP`.

`late` hooks when all is loaded.
"""

import sys
from importlib import import_module


def main(name, port, place):
    module, _, attribute = place.partition(":")
    app = getattr(import_module(module), attribute)
    if name == "wsgiref":
        from wsgiref.simple_server import make_server

        make_server("127.0.0.1", port, app).serve_forever()
    elif name == "werkzeug":
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", port, app, threaded=True)
    elif name == "waitress":
        import waitress

        waitress.serve(app, listen=f"127.0.0.1:{port}")
    elif name == "cheroot":
        from cheroot.wsgi import Server

        Server(("127.0.0.1", port), app).safe_start()
    elif name == "uvicorn":
        import uvicorn

        uvicorn.run(app, port=port)
    elif name == "hypercorn":
        import asyncio

        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        asyncio.run(serve(app, Config.from_mapping(bind=f"127.0.0.1:{port}")))
    elif name == "gevent":
        from gevent.pywsgi import WSGIServer

        WSGIServer(("127.0.0.1", port), app, log=None).serve_forever()
    else:
        raise SystemExit(name)


if __name__ == "__main__":
    name, port, place = sys.argv[1:]
    if name.endswith("gevent"):
        from gevent.monkey import patch_all

        if name.startswith("late-"):
            import_module(place.partition(":")[0])
        patch_all()
        name = "gevent"
    if name.startswith("late-"):
        name = name.removeprefix("late-")
        # Servers and frameworks first, faults afterwards.
        for each in (
            "werkzeug.serving",
            "waitress",
            "cheroot.wsgi",
            "uvicorn",
            "hypercorn.asyncio",
            "flask",
            "fastapi",
        ):
            import_module(each)
        import_module(place.partition(":")[0])
        from faultinject.hooks import begin

        begin()
    main(name, int(port), place)
