"""Azure Blob Storage: XML after a byte order mark.

Id and time are inside the message, and the message is the reason phrase.
"""

from __future__ import annotations

from struct import Struct
from time import gmtime

from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.vendor import Vendor

_drawn = Struct(">IBBHIHI").unpack_from


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A GUID of the blob service's form, and the time with seven decimals.

    The GUID ends in six zeros.
    """
    first, second, third, fourth, high, low, fraction = _drawn(entropy)
    node = (high << 16 | low) & 0xFFFFFF
    year, month, day, hour, minute, whole = gmtime(unix_seconds)[:6]
    date = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{whole:02}"
    return {
        "request_id": f"{first:08x}-{second & 15:x}01e-00{third:02x}-{fourth:04x}-{node:06x}000000",
        "time": f"{date}.{fraction % 10_000_000:07}Z",
    }


def reason(_row: DocumentedError, message: str) -> str:
    """The whole message, with both sentences.

    Azure's .NET SDK prints the phrase of an answer in parentheses: `Status: 404 (The specified blob does not exist.)`
    in Azure/WALinuxAgent#2311, elsewhere `Status: 403 (Server failed to authenticate the request. Make sure the value
    of Authorization header is formed correctly including the signature.)`.
    """
    return message


VENDOR = Vendor(
    id="azure-blob",
    title="Azure Blob Storage",
    content_type="application/xml",
    template="envelope.xml",
    # recordings have apostrophes in AuthenticationErrorDetail
    escape="xml-text",
    child="<%(name)s>%(value)s</%(name)s>",
    package=__package__,
    extras="extras.csv",
    id_headers=(("x-ms-request-id", "request_id"),),
    make_ids=make_ids,
    reason=reason,
    # https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints
    # and https://learn.microsoft.com/azure/china/resources-developer-guide (China),
    # https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure (the US government)
    endpoints=(
        "*.blob.storage.azure.net",
        "blob.core.windows.net",
        "blob.core.chinacloudapi.cn",
        "blob.core.usgovcloudapi.net",
    ),
    addressing="azure",
    prefix="x-ms-",
    operations=("azure_blob/operations.csv",),
    # recordings of azure-sdk-for-js, June 2019 to September 2021: chunked, and without a Content-Type
    bare_head=True,
    # SDKs of Azure read it; no document says that the blob service sends it
    hint="x-ms-retry-after-ms",
    # the headers that Azure's own clients read, in this order: https://azure.github.io/azure-sdk/general_azurecore.html
    hints=("x-ms-retry-after-ms", "retry-after-ms", "seconds", "date"),
    typical={"denied": "AuthorizationPermissionMismatch"},
)
