"""A Django project in one file."""

import os
import sys

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import re_path
from served import HEADERS, text

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"], DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="secret", USE_TZ=True
    )


def get(request):
    return HttpResponse(text(request.path), headers=HEADERS)


urlpatterns = [re_path("", get)]
application = get_wsgi_application()
asgi = get_asgi_application()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    sys.modules["served_django"] = sys.modules["__main__"]
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    execute_from_command_line([sys.argv[0], "runserver", "--noreload", "--skip-checks", sys.argv[1]])
