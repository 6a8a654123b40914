"""What to do where files of a generation are gone: a writer replaced and removed them."""

import json
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from terradrift.serve.faults import Gone

WORDS = "newer data are there by now; load the page anew"


def is_lost(error: BaseException | None) -> bool:
    """Whether it was caused by a file of a table that is not there (Lance says so)."""
    while error is not None:
        said = str(error)
        if "Not found" in said and ".lance" in said:
            return True
        error = error.__cause__
    return False


class Anew:
    """An ASGI application around another: asks again where files were lost meanwhile.

    A question of the archive as it is now is asked once more; of a named generation, or with
    a body, the visitor is told to load the page anew.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        asked = parse_qs(scope["query_string"].decode("latin-1"))
        tries = 2 if scope["method"] == "GET" and "v" not in asked else 1
        for left in reversed(range(tries)):
            try:
                # What routing notes in the scope would stand in the second's way.
                await self._app(dict(scope), receive, watched)
            except Exception as error:
                if begun or not is_lost(error):
                    raise
                if not left:
                    await _tell(send)
                    return
            else:
                return


async def _tell(send: Send) -> None:
    body = json.dumps({"error": WORDS}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send(
        {"type": "http.response.start", "status": Gone.status, "headers": headers}
    )
    await send({"type": "http.response.body", "body": body})
