"""Whether a request comes from our own page, and was sent to us by one of our names (pure).

A page of another site that is open in the same browser can send requests to this server. It
must not be able to read answers (there is no CORS), to change anything, or to pass itself
off as this server by a name that it lets point here (DNS rebinding).
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost"})


def is_loopback(name: str) -> bool:
    """Whether an address or name of a host is this machine alone."""
    address = _address(name)
    return name.lower() in LOOPBACK if address is None else address.is_loopback


def split(host: str) -> tuple[str, str] | None:
    """Name (lower case, without brackets) and port (may be empty) of a `Host` header."""
    if not host or any(letter in host for letter in "/\\@?# \t"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname.rstrip("."), "" if port is None else str(port)


def is_ours(host: str, names: Collection[str], *, everywhere: bool) -> bool:
    """Whether a `Host` header is one of `names`, at any port: tunnels have their own.

    An address in numbers cannot be let to point elsewhere, so `everywhere` (bound beyond
    loopback) any will do; else those of loopback.
    """
    found = split(host)
    if found is None:
        return False
    name, _ = found
    address = _address(name)
    if address is not None:
        return everywhere or address.is_loopback
    return name in names


def is_same(origin: str, host: str) -> bool:
    """Whether an `Origin` header names the host that the request was sent to."""
    scheme, _, rest = origin.partition("://")
    ports = {"http": "80", "https": "443"}
    theirs, ours = split(rest), split(host)
    if scheme not in ports or theirs is None or ours is None:
        return False
    return (theirs[0], theirs[1] or ports[scheme]) == (
        ours[0],
        ours[1] or ports[scheme],
    )


def from_elsewhere(site: str) -> bool:
    """Whether `Sec-Fetch-Site` says that another site's page asks; old browsers say nothing."""
    return site not in ("", "same-origin", "none")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
