"""The status line has nginx's words.

ngx_http_header_filter_module.c, ngx_http_status_lines
"""

from faultinject import Injector, Scenario, WSGIFaultMiddleware
from tests.rows import each_row


@each_row(
    ("code", "line"),
    [
        ("RequestEntityTooLarge", "413 Request Entity Too Large"),
        ("TooManyRequests", "429 Too Many Requests"),
        ("InternalServerError", "500 Internal Server Error"),
        ("BadGateway", "502 Bad Gateway"),
        ("ServiceUnavailable", "503 Service Temporarily Unavailable"),
        ("GatewayTimeout", "504 Gateway Time-out"),
        ("ServiceUnavailable,status=500", "500 Internal Server Error"),
    ],
)
def test_status_line(code, line):
    """The same phrase as in the page, unless the rule says another status."""
    lines = []
    app = WSGIFaultMiddleware(None, injector=Injector(Scenario.parse(f"gateway:{code}")))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1"}
    list(app(environ, lambda status, headers, exc_info=None: lines.append(status)))
    assert lines == [line]
