"""`python served_eventlet.py PORT [patched] [flask]`: eventlet's own server."""

import sys
import warnings


def serve(port, *how):
    """Serve until the end."""
    warnings.simplefilter("ignore")  # it says at once that it is not to be used any more
    import eventlet

    if "patched" in how:
        eventlet.monkey_patch()
    from eventlet import wsgi

    if "flask" in how:
        from served_flask import app
    else:
        from served import wsgi as app
    wsgi.server(eventlet.listen(("127.0.0.1", int(port))), app, log_output=False)


if __name__ == "__main__":
    serve(*sys.argv[1:])
