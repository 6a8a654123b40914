"""What every request must pass before it reaches a route, and what every answer carries."""

import asyncio
import html
import json
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from terradrift.serve import origin
from terradrift.serve.keys import Key

BODY_BYTES = 4 << 20
"""Of a request at most: a region drawn or loaded is the largest."""

_CSP = (
    "default-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_METHODS = ("GET", "HEAD", "POST")


class _Stopped(Exception):  # noqa: N818 - a request that is not handed on
    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Guard:
    """An ASGI application around another: the walls of the server.

    * `Host` is one of ours; a name that somebody lets point here is not.
    * With a `key`, who asks has the token: `Authorization: Bearer`, or the cookie that the
      first visit to `/?token=` sets.
    * What changes anything (POST) is JSON, of bounded size, and where a browser sends it of
      our own page; what is only read is not handed to pages of other sites.
    * No answer can be framed, sniffed, or bring scripts from elsewhere.
    """

    app: ASGIApp
    names: Collection[str]
    """Names of this host, lower case."""
    everywhere: bool = False
    """Bound beyond loopback."""
    key: Key | None = None
    body_bytes: int = BODY_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or say in one line why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        await _until_the_end(self._through, scope, receive, _with_headers(send))

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = Headers(scope=scope)
            self._check_host(headers)
            entered = self._entered(scope, headers)
            if entered is None:
                self._check(scope, headers)
                receive = await self._bounded(scope, headers, receive)
        except _Stopped as stopped:
            await _answer(send, stopped.status, str(stopped))
            return
        await (entered or self.app)(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not origin.is_ours(
            hosts[0], self.names, everywhere=self.everywhere
        ):
            raise _Stopped(
                HTTPStatus.FORBIDDEN,
                "this server does not answer by that name; ask it at "
                f"{' or '.join(sorted(self.names))}",
            )

    def _entered(self, scope: Scope, headers: Headers) -> "_Entered | None":
        """The answer to a first visit with the token in the address."""
        if self.key is None or scope["path"] != "/" or scope["method"] != "GET":
            return None
        asked = parse_qsl(scope["query_string"].decode("latin-1"))
        given = [value for name, value in asked if name == "token"]
        if not given:
            return None
        if not self.key.opens(given[-1]):
            raise _Stopped(HTTPStatus.UNAUTHORIZED, _LOCKED)
        rest = urlencode([pair for pair in asked if pair[0] != "token"])
        place = f"/?{rest}" if rest else "/"
        # A browser that came from another site sends no strict cookie along with a
        # redirect; from a page of ours it does.
        foreign = origin.from_elsewhere(headers.get("sec-fetch-site", ""))
        return _Entered(self.key, place, by_page=foreign)

    def _check(self, scope: Scope, headers: Headers) -> None:
        method, host = scope["method"], headers["host"]
        if method not in _METHODS:
            raise _Stopped(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"expected {', '.join(_METHODS)}, got {method}",
            )
        if self.key is not None and not self.key.admits(
            headers.get("authorization", ""), headers.get("cookie", "")
        ):
            raise _Stopped(HTTPStatus.UNAUTHORIZED, _LOCKED)
        sender = headers.get("origin")
        elsewhere = origin.from_elsewhere(headers.get("sec-fetch-site", ""))
        visits = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if (elsewhere and not (visits and method == "GET")) or (
            sender is not None and not origin.is_same(sender, host)
        ):
            raise _Stopped(
                HTTPStatus.FORBIDDEN, "pages of other sites may not ask this server"
            )
        if method == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise _Stopped(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    f"expected content-type application/json, got {kind or 'none'}",
                )

    async def _bounded(
        self, scope: Scope, headers: Headers, receive: Receive
    ) -> Receive:
        """The body, read whole before anybody parses it, and never more than it may be."""
        if scope["method"] != "POST":
            return receive
        told = headers.get("content-length", "0")
        if not told.isdecimal() or int(told) > self.body_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _replayed(message, receive)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.body_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        whole = {"type": "http.request", "body": b"".join(parts), "more_body": False}
        return _replayed(whole, receive)

    def _too_large(self) -> _Stopped:
        return _Stopped(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"expected a body of at most {self.body_bytes:,} bytes",
        )


_LOCKED = (
    "expected the token of this server; open the address that terradrift serve printed, "
    "or send Authorization: Bearer TOKEN"
)


@dataclass(frozen=True)
class _Entered:
    """Sets the cookie and leads on to the page without the token in its address."""

    key: Key
    place: str
    by_page: bool

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = {"set-cookie": self.key.set_cookie(), "cache-control": "no-store"}
        if self.by_page:
            headers["content-type"] = "text/html; charset=utf-8"
            to = html.escape(self.place, quote=True)
            page = f'<!doctype html><meta http-equiv="refresh" content="0; url={to}">'
            await _send(send, HTTPStatus.OK, headers, page.encode())
            return
        headers["location"] = self.place
        await _send(send, HTTPStatus.SEE_OTHER, headers, b"")


async def _until_the_end(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Hand the request on; where the server ends meanwhile, say so, or break off."""
    begun = False

    async def sent(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, sent)
    except asyncio.CancelledError:  # it had the seconds that answers have at the end
        if not begun:
            await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, "the server ends")


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent


def _replayed(first: Message, receive: Receive) -> Receive:
    """`first`, then whatever comes: that the visitor went away."""
    waiting = [first]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received


async def _answer(send: Send, status: HTTPStatus, words: str) -> None:
    headers = {"content-type": "application/json", "connection": "close"}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    await _send(send, status, headers, json.dumps({"error": words}).encode())


async def _send(
    send: Send, status: HTTPStatus, headers: dict[str, str], body: bytes
) -> None:
    sized = {**headers, "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in sized.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
