"""Makes a test certificate for servers of this machine that speak TLS.

It also lists the environment variables that make clients trust the certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import NamedTuple

from faultinject.exceptions import MissingExtraError

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
"""Clients' variables for certificates: OpenSSL and Go, requests, AWS's SDKs, Node, curl."""
NAMES = ("localhost", "127.0.0.1", "::1")
"""The names in the certificate, besides the host."""


class Certificate(NamedTuple):
    """A certificate.

    Attributes:
        authority: the file of the certificate that clients have to trust; it is removed at the end of the block.
        context: encrypts the connections of a server.
    """

    authority: str
    context: SSLContext

    @property
    def trust(self) -> dict[str, str]:
        """The environment of a client that trusts this certificate and no other."""
        return dict.fromkeys(VARIABLES, self.authority)


@contextmanager
def certificate(host: str = "127.0.0.1") -> Iterator[Certificate]:
    """Make a certificate that exists until the end of the block.

    Args:
        host: a name or an address that clients connect to, in addition to those of this machine.

    Raises:
        MissingExtraError: trustme is not installed.
    """
    try:
        import trustme
    except ImportError:
        raise MissingExtraError('a certificate is made by trustme: pip install "faultinject[tls]"') from None
    from tempfile import TemporaryDirectory

    authority, context = trustme.CA(), SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert(*dict.fromkeys((*NAMES, host))).configure_cert(context)
    with TemporaryDirectory(prefix="faultinject-tls-") as folder:
        path = str(Path(folder, "authority.pem"))
        authority.cert_pem.write_to_path(path)
        yield Certificate(path, context)
