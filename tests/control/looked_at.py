"""An app that the page's tests look at: it says hello to every request."""

import faultinject


async def hello(scope, receive, send):
    """Answer 200, also to the start of the server."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")]}
    )  # fmt: skip
    await send({"type": "http.response.body", "body": b"hello"})


app = faultinject.install(hello)
