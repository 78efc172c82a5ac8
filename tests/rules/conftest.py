"""An app behind the middleware that is asked with plain environs, as the engine's tests ask it."""

from tests.engine.conftest import environ, p_of, site, view
