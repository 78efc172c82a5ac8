"""A small object store as a WSGI app: completing twice is an error, appending is not."""

import itertools
import threading
from urllib.parse import parse_qsl

from werkzeug.wsgi import get_input_stream

PAGE = 2


class Store:
    """Objects and messages; tests look at `objects`, `uploads`, `written` and `messages`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        self.objects = {}
        self.uploads = {}
        self.written = []
        self.messages = []
        self.numbers = itertools.count(1)

    def __call__(self, environ, start_response):
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        body = get_input_stream(environ).read()
        source = environ.get("HTTP_X_COS_COPY_SOURCE")
        with self.lock:
            status, answer = self.answer(
                environ["REQUEST_METHOD"], environ["PATH_INFO"], query, body, source and source.strip()
            )
        head = [("Content-Length", str(len(answer))), ("Content-Type", "application/xml")]
        start_response(f"{status} x", head)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer]

    def answer(self, method, path, query, body, source):
        if method == "POST" and "uploads" in query:
            upload = f"{next(self.numbers):032x}"
            self.uploads[upload] = {}
            return 200, f"<R><UploadId>{upload}</UploadId></R>".encode()
        if "uploadId" in query:
            return self.multipart(method, path, query, body)
        if method == "POST" and "append" in query:
            there = self.objects.get(path, b"")
            if "position" in query and int(query["position"]) != len(there):
                return 409, b"<Error><Code>PositionNotEqualToLength</Code></Error>"
            self.objects[path] = there + body
            return 200, b""
        if method == "GET" and "pop" in query:
            return 200, self.messages.pop(0) if self.messages else b""
        if method == "GET" and "peek" in query:
            return 200, self.messages[0] if self.messages else b""
        if method == "DELETE" and "message" in query:
            self.messages = [each for each in self.messages if each != query["message"].encode()]
            return 204, b""
        if method == "PUT":
            self.written.append(body)
            self.objects[path] = self.objects[source] if source else body
            return 200, b"<CopyObjectResult/>" if source else b""
        if method == "DELETE":
            self.objects.pop(path, None)
            return 204, b""
        if path.count("/") == 1:
            names = sorted(each for each in self.objects if each > query.get("marker", ""))
            more = f"<Next>{names[PAGE - 1]}</Next>" if names[PAGE:] else ""
            return 200, f"{more}{''.join(f'<Key>{each}</Key>' for each in names[:PAGE])}".encode()
        if path in self.objects:
            return 200, self.objects[path]
        return 404, b"<Error><Code>NoSuchKey</Code></Error>"

    def multipart(self, method, path, query, body):
        parts = self.uploads.get(query["uploadId"])
        if parts is None:
            return 404, b"<Error><Code>NoSuchUpload</Code></Error>"
        if method == "PUT":
            parts[int(query["partNumber"])] = body
            return 200, b""
        del self.uploads[query["uploadId"]]
        if method == "POST":
            self.objects[path] = b"".join(parts[each] for each in sorted(parts))
        return 200, b"<R/>"
