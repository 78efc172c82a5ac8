"""A certificate of our own making, for servers of this machine that speak TLS.

It also has the environment of clients that trust it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from faultinject.exceptions import MissingExtraError

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
"""Variables of clients' certificates: OpenSSL and Go, requests, AWS's SDKs, Node, curl."""
NAMES = ("localhost", "127.0.0.1", "::1")
"""The names that it is for, beside the host that is listened on."""


class Certificate(NamedTuple):
    """Files of a certificate; they are gone with the block that made them.

    Attributes:
        authority: the certificate that clients have to trust, as PEM.
        chain: the server's certificate, as PEM.
        key: its private key, which only this user may read.
    """

    authority: str
    chain: str
    key: str

    def context(self) -> ssl.SSLContext:
        """The context with which a server wraps its connections."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    @property
    def trust(self) -> dict[str, str]:
        """The environment of a client that trusts it, and nobody else."""
        return dict.fromkeys(VARIABLES, self.authority)


@contextmanager
def certificate(host: str = "127.0.0.1") -> Iterator[Certificate]:
    """Make a certificate for its block, in a temporary folder.

    Args:
        host: a name or an address that clients connect to, besides those of this machine.

    Raises:
        MissingExtraError: trustme is not installed.
    """
    try:
        import trustme
    except ImportError:
        raise MissingExtraError('a certificate is made by trustme: pip install "faultinject[tls]"') from None
    from tempfile import TemporaryDirectory

    authority = trustme.CA()
    issued = authority.issue_cert(*dict.fromkeys((*NAMES, host)))
    with TemporaryDirectory(prefix="faultinject-tls-") as folder:
        made = Certificate(*(str(Path(folder, name)) for name in ("authority.pem", "server.pem", "key.pem")))
        _write(made.authority, authority.cert_pem.bytes())
        _write(made.chain, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        _write(made.key, issued.private_key_pem.bytes())
        yield made


def _write(path: str, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
