"""An app behind the middleware that gets plain environs, as in the engine's tests."""

from tests.engine.conftest import environ, site, view
