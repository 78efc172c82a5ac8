"""Where the documents are that checks refer to."""

from __future__ import annotations

import re

ADDRESSES = {
    "AWS SDKs: retry behavior": "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    "AWS: exponential backoff and jitter": "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
    "Azure: transient fault handling": "https://learn.microsoft.com/en-us/azure/architecture/best-practices/transient-faults",
    "Cloud Storage: retry strategy": "https://cloud.google.com/storage/docs/retry-strategy",
    "Google SRE book: Handling Overload": "https://sre.google/sre-book/handling-overload/",
    "The Tail at Scale": "https://cacm.acm.org/research/the-tail-at-scale/",
    "aws-sdk-rust issue 1163": "https://github.com/awslabs/aws-sdk-rust/issues/1163",
    "databricks-sdk-java pull request 872": "https://github.com/databricks/databricks-sdk-java/pull/872",
}
"""Of each document that is no RFC; a name may have a note in brackets behind it."""


def with_addresses(reference: str) -> str:
    """The reference with the address of each of its documents.

    >>> with_addresses("RFC 9110 15.5; the vendor's table of errors")
    "RFC 9110 15.5 (https://www.rfc-editor.org/rfc/rfc9110#section-15.5); the vendor's table of errors"
    """
    found = []
    for document in reference.split("; "):
        address = ADDRESSES.get(document.partition(" (")[0])
        if rfc := re.fullmatch(r"RFC (\d+) ([\d.]+)", document):
            address = f"https://www.rfc-editor.org/rfc/rfc{rfc[1]}#section-{rfc[2]}"
        found.append(f"{document} ({address})" if address else document)
    return "; ".join(found)
