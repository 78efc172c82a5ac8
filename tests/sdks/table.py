"""The table of `RESULTS.md`: what real clients make of broken exchanges."""

import builtins

HEADS = {
    "boto3": "boto3",
    "cos-python-sdk-v5": "cos-python-sdk-v5",
    "qingstor-sdk": "qingstor-sdk",
    "jss-upload": "jss-upload",
    "requests": "requests",
    "requests-retry": "requests, `Retry(3)`",
    "httpx": "httpx, `retries=3`",
    "aiohttp": "aiohttp",
    "urllib": "`urllib.request`",
}
TITLES = {
    "hang": "`hang`, time-out 1 s",
    "reset": "`reset`",
    "reset-post": "`reset` of a POST",
    "reset-after": "`reset,when=after` of a PUT",
    "reset-after-once": "`reset,when=after,times=1` of a PUT",
    "reset-upload": "`reset,after_bytes=50` of an upload of 100 bytes",
    "reset-answer": "`reset,when=after,after_bytes=1000`",
    "reset-download": "`reset,when=after,after_bytes=1000` of a download to a file",
    "error-upload": "the vendor's 500, `after_bytes=50`, of an upload of 100 bytes",
    "stall": "`stall` for 1 s, time-out 30 s",
    "stall-long": "`stall` for 7 s, time-out 1 s",
    "stall-upload": "`stall,after_bytes=50` for 1 s of an upload of 100 bytes, time-out 30 s",
    "stall-answer": "`stall,when=after,after_bytes=1000` for 1 s, time-out 30 s",
    "stall-answer-long": "`stall,when=after,after_bytes=1000` for 15 s, time-out 5 s",
    "close": "`close`",
    "truncate": "`truncate`",
    "truncate-download": "`truncate` of a download to a file",
    "truncate-error": "`truncate,of=` the vendor's 500",
    "drip": "`drip`",
    "drip-long": "`drip` for 7 s, time-out 5 s",
    "corrupt": "`corrupt`, the answer has an MD5 as ETag",
    "corrupt-checked": "`corrupt`, the answer has a checksum",
    "corrupt-download": "`corrupt` of a download to a file, the answer has a checksum",
    "gateway": "`gateway:BadGateway`",
    "late-copy": "`cos:InternalError,status=200,delay=300ms` of CopyObject",
    "late-complete": "`cos:InternalError,status=200,delay=300ms` of CompleteMultipartUpload",
}


def table(results: dict) -> str:
    """A table in Markdown: one row a fault, one column a client.

    Args:
        results: what `transport.json` holds: `rows`, from the row's name to the client's to what it saw, and the
            clients' `versions`.
    """
    lines = [("fault", *HEADS.values()), ("---",) * (1 + len(HEADS))]
    for name, title in TITLES.items():
        row = results["rows"][name]
        lines.append((title, *(cell(row[each]) if each in row else "–" for each in HEADS)))
    versions = results["versions"]
    lines.append(("version", *(versions.get(each, "CPython's") for each in HEADS)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(found: dict) -> str:
    """A client's cell: the exception with the error's code, and the attempts."""
    saw = found["saw"]
    if saw in ("short data", "wrong data"):
        said = f"**{saw}**"
    elif saw == "ok":
        said = saw
    elif saw.startswith("returned "):
        said = saw.replace("returned", "returns")
    else:
        package, name = saw.partition(".")[0], saw.rpartition(".")[2]
        taken = package != "builtins" and hasattr(builtins, name)
        said = f"`{package}.{name}`" if taken else f"`{name}`"
    code = f" {found['code']}" if "code" in found else ""
    more = f", stored ×{found['stored']}" if "stored" in found else ""
    if found.get("waited"):
        more += ", knows no time-out"
    return f"{said}{code} ×{found['attempts']}{more}"
