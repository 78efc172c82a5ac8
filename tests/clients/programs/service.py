"""The servers of the programs: a small service, and filled stores."""

import json
import threading
from itertools import count

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Request, Response

from faultinject.store import ObjectStore

CONTENT = b"meow" * 50
BUCKET = "photos"
KEYS = [f"cat-{number}.jpg" for number in range(200)]
READER = "listBuckets listFiles readBuckets readFiles writeFiles".split()


class Service:
    """A service with all that the programs need.

    - `/documents/…` is always there, `/objects/…` when it was put.
    - `/counters/…` has a version, its ETag, and others write it all the time: whoever reads it finds a new one. A write
      needs the current one. `/settings/…` is the same, but nobody else writes.
    - `/token` and `/login` give another token and another cookie each time.
    - `/orders/…`, `/beat`, `/search`, `/log` and `/status` take a POST or a PUT.
    - `/b2api/…` is as much of B2's native API as b2sdk needs to list files.
    """

    def __init__(self):
        self.objects = {}
        self.versions = {}
        self.ordered = set()
        self.lock = threading.Lock()
        self.numbers = count(1)
        taking = dict.fromkeys(("beat", "search", "log", "status"), self.take)
        self.places = taking | {
            "documents": lambda request, rest, body: Response(CONTENT),
            "objects": self.object,
            "counters": lambda request, rest, body: self.versioned(request, rest, busy=True),
            "settings": lambda request, rest, body: self.versioned(request, rest, busy=False),
            "orders": self.order,
            "token": lambda request, rest, body: self.token(),
            "login": lambda request, rest, body: self.login(),
            "b2api": self.b2,
        }

    def __call__(self, environ, start_response):
        request = Request(environ)
        chunked = request.headers.get("Transfer-Encoding") == "chunked"
        body = environ["wsgi.input"].read() if chunked else request.get_data()
        place, _, rest = request.path.lstrip("/").partition("/")
        answers = self.places.get(place, lambda request, rest, body: Response("nothing is here", 404))
        return answers(request, rest, body)(environ, start_response)

    def take(self, request, rest, body):
        """Say that it was done."""
        return Response(f"done for the {next(self.numbers)}th time")

    def order(self, request, rest, body):
        """Take an order, or tell whether there is one."""
        if request.method == "GET":
            return Response("ordered") if rest in self.ordered else Response("not ordered", 404)
        self.ordered.add(rest)
        return Response("ordered", 201)

    def token(self):
        """Another token."""
        found = {"access_token": f"token-{next(self.numbers)}", "expires_in": 3600, "token_type": "Bearer"}
        return Response(json.dumps(found), mimetype="application/json")

    def login(self):
        """Another cookie."""
        answer = Response("welcome")
        answer.set_cookie("session", str(next(self.numbers)))
        return answer

    def object(self, request, rest, body):
        """Store, delete or give an object."""
        with self.lock:
            if request.method == "PUT":
                self.objects[rest] = body
                return Response("stored", 201)
            if request.method == "DELETE":
                self.objects.pop(rest, None)
                return Response(status=204)
            found = self.objects.get(rest)
        return Response("no such object", 404) if found is None else Response(found)

    def versioned(self, request, rest, *, busy):
        """Give what has a version, or write it if the version is the one that the writer knows."""
        with self.lock:
            version = self.versions.get(rest, 1) + (busy and request.method == "GET")
            if request.method == "PUT":
                if request.headers.get("If-Match") != f'"{version}"':
                    return Response("it is another version by now", 412)
                version += 1
            self.versions[rest] = version
        return Response(f"{rest}, version {version}", headers={"ETag": f'"{version}"'})

    def b2(self, request, rest, body):
        """Authorize an account, or list no files."""
        call = rest.rpartition("/")[2]
        if call == "b2_list_file_names":
            return Response('{"files": [], "nextFileName": null}', mimetype="application/json")
        if call != "b2_authorize_account":
            return Response('{"code": "bad_request", "message": "", "status": 400}', 400)
        url = request.host_url.rstrip("/")
        storage = {
            **dict.fromkeys(("apiUrl", "downloadUrl", "s3ApiUrl"), url),
            "recommendedPartSize": 100_000_000,
            "absoluteMinimumPartSize": 5_000_000,
            "allowed": {"buckets": None, "capabilities": READER, "namePrefix": None},
            "capabilities": READER,
            "namePrefix": None,
        }
        found = {
            "accountId": "4a48fe8875c6",
            "authorizationToken": f"token-{next(self.numbers)}",
            "apiInfo": {"groupsApi": {}, "storageApi": storage},
        }
        return Response(json.dumps(found), mimetype="application/json")


def filled(vendor):
    """A store with a bucket of cats."""
    made = ObjectStore(vendor)
    made.fill(BUCKET, objects=KEYS, uploads=(), content=CONTENT)
    return made


def google():
    """A store of Google's kind, and beside it a token for whoever asks."""
    service = Service()

    def token(environ, start_response):
        return service.token()(environ, start_response)

    return DispatcherMiddleware(filled("gcs"), {"/token": token})


APPS = {"app": Service, "store": lambda: filled("s3"), "gcs": google}
"""The apps by their names in `program.Program`."""


def __getattr__(name):
    """A fresh one, as `faultinject serve` asks for it."""
    if name in APPS:
        return APPS[name]()
    raise AttributeError(name)
