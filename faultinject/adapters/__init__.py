"""Where the engine meets web apps: WSGI, ASGI and the frameworks' ways of putting apps together."""
