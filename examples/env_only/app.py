"""The guest book, with the one line that faultinject asks of an app."""

from env_only.guest_book import app

import faultinject

app = faultinject.install(app)  # the one line
