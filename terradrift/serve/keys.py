"""The token that lets a visitor in, and the cookie that stands for it in a browser."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from terradrift.serve.faults import ServeError

_SHAPE = re.compile(r"[A-Za-z0-9_~.-]{16,200}")


@dataclass(frozen=True, slots=True)
class Key:
    """One token for all visitors; its text is never shown by `repr`."""

    token: str = field(repr=False)
    cookie: str
    """Name of the cookie: cookies do not tell ports apart, so the port is in it."""

    @classmethod
    def of(cls, token: str | None, port: int) -> "Key":
        """The key of a server at `port`; a new token where None is given.

        Raises:
            ServeError: a token that is short, or that an address cannot hold.
        """
        given = secrets.token_urlsafe(32) if token is None else token
        if not _SHAPE.fullmatch(given):
            raise ServeError(
                "expected a token of 16 to 200 letters, digits and _ ~ . -, got "
                f"{len(given)} characters; leave --token out to have one made"
            )
        return cls(given, f"terradrift_{port}")

    @property
    def session(self) -> str:
        """What the cookie holds: made of the token, which it does not give away."""
        return hmac.new(
            self.token.encode(), self.cookie.encode(), hashlib.sha256
        ).hexdigest()

    def opens(self, given: str) -> bool:
        """Whether `given` is the token; takes as long for any of its length."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def admits(self, authorization: str, cookies: str) -> bool:
        """Whether headers `Authorization` and `Cookie` let a request in."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer" and self.opens(given.strip()):
            return True
        held = _cookie(cookies, self.cookie)
        return hmac.compare_digest(held.encode(), self.session.encode())

    def set_cookie(self) -> str:
        """The header `Set-Cookie`: no script reads it, no other site sends it."""
        return f"{self.cookie}={self.session}; Path=/; HttpOnly; SameSite=Strict"


def _cookie(cookies: str, name: str) -> str:
    """The value of ours; what other servers of this host set may be of any form."""
    pairs = (one.partition("=") for one in cookies.split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
