"""The server's process: an address, uvicorn inside, and an end that leaves nothing behind."""

import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from anyio import to_thread

from terradrift.serve import origin
from terradrift.serve.faults import ServeError
from terradrift.serve.guard import Guard
from terradrift.serve.held import Held
from terradrift.serve.keys import Key
from terradrift.serve.warm import warm

PORT = 8765
HOST = "127.0.0.1"
_PATIENCE = 3
"""Seconds that answers under way have when the server ends."""


def serve(
    archive: str | Path,
    *,
    host: str = HOST,
    port: int = PORT,
    token: str | None = None,
    name: str | None = None,
    open_browser: bool = True,
    read_only: bool = False,
    who: str | None = None,
    model: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve an archive's page and JSON interface until Ctrl-C.

    At a `host` beyond loopback, and at a `name` that a proxy hands on, visitors need `token`;
    None: one is made, and stands in the address that `say` is told. `port` 0: any that is
    free. `who` signs labels; with `read_only` nobody may write any. `model` None: the
    archive's own.

    Raises:
        ArchiveError: no archive there.
        ServeError: the address is taken or not of this machine, or no such model.
    """
    held = Held(Path(archive), model=model, read_only=read_only, who=who)
    _check_model(held)
    with _listen(host, port) as listening, _ahead(held):
        with _uninterrupted():
            place = _prepared(held, listening, host, token, name)

        def started() -> None:
            say(place.address)
            if open_browser and _has_browser():
                threading.Thread(
                    target=webbrowser.open, args=[place.address], daemon=True
                ).start()

        with suppress(KeyboardInterrupt):
            _Server(place, started).run(sockets=[listening])


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block ends.

    Inside an import it can leave a lock behind that another thread, which imports the same,
    waits for without end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


@contextmanager
def _ahead(held: Held) -> Iterator[None]:
    """Reads ahead, as long as the block: while the rest of the server is loaded too."""
    ending = threading.Event()
    ahead = threading.Thread(target=warm, args=[held, ending])
    ahead.start()
    try:
        yield
    finally:
        ending.set()
        ahead.join()


def _has_browser() -> bool:
    """Whether one may have a window; a browser for terminals would take this one."""
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform != "linux" or any(os.environ.get(name) for name in shown)


@contextmanager
def served(
    archive: str | Path,
    *,
    host: str = HOST,
    port: int = 0,
    token: str | None = None,
    name: str | None = None,
    read_only: bool = False,
    who: str | None = None,
    model: str | None = None,
) -> Iterator[str]:
    """The same inside a `with` block, in a thread; gives the address.

    Raises: as `serve`.
    """
    held = Held(Path(archive), model=model, read_only=read_only, who=who)
    _check_model(held)
    with _listen(host, port) as listening:
        place = _prepared(held, listening, host, token, name)
        ready = threading.Event()
        server = _Server(place, ready.set)
        thread = threading.Thread(target=server.run, args=[[listening]], daemon=True)
        thread.start()
        try:
            while not ready.wait(0.05):
                if not thread.is_alive():
                    raise ServeError("the server did not start; see its output")
            yield place.address
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class _Place:
    """Where the server is found, and what it will answer with."""

    config: uvicorn.Config
    address: str
    close: Callable[[], None]
    """Ends what runs in processes of its own."""


class _Server(uvicorn.Server):
    """Tells when it listens; ends questions under way before it waits for answers."""

    def __init__(self, place: _Place, started: Callable[[], None]) -> None:
        super().__init__(place.config)
        self._told_started = started
        self._close = place.close

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._told_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await to_thread.run_sync(self._close)
        await super().shutdown(sockets)


def _prepared(
    held: Held,
    listening: socket.socket,
    host: str,
    token: str | None,
    name: str | None,
) -> _Place:
    # Half of what the server loads; columns are read meanwhile.
    from terradrift.serve.app import application

    bound: int = listening.getsockname()[1]
    beyond = not origin.is_loopback(host)
    needed = beyond or name is not None or token is not None
    key = Key.of(token, bound) if needed else None
    app = application(held)
    names = _names(host, beyond) | ({name.lower()} if name else set())
    walls = Guard(app, names, everywhere=beyond, key=key)
    config = uvicorn.Config(
        walls,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_PATIENCE,
    )
    return _Place(config, _address(host, bound, key), app.state.close)


def _check_model(held: Held) -> None:
    found = held.newest()
    suffixes = [name.partition("_")[2] for name in found.stamps]
    if held.model is not None and found.table("x")[2:] not in suffixes:
        raise ServeError(
            f"the archive has nothing of the model {held.model}; see terradrift info"
        )


def _listen(host: str, port: int) -> socket.socket:
    """Raises ServeError where nothing can listen there."""
    try:
        ((family, _, _, _, address), *_) = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.create_server(address, family=family, backlog=128)
    except OverflowError as error:
        raise ServeError(f"expected a port of 0 to 65535, got {port}") from error
    except OSError as error:
        raise ServeError(
            f"cannot listen at port {port} of {host}: {error.strerror or error}; choose "
            "another with --port (0: any that is free)"
        ) from error
    # asyncio sees to it only where a socket names its protocol, which this one does not;
    # without it small answers wait 40 ms for a client to confirm their head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _names(host: str, beyond: bool) -> set[str]:
    """Names that visitors may ask for; addresses in numbers need none."""
    if not beyond:
        return {"localhost", host.lower()}
    own = {socket.gethostname(), socket.getfqdn(), "localhost"}
    named = {host} if host not in ("0.0.0.0", "::", "") else set()  # noqa: S104 - compared
    return {name.lower() for name in own | named}


def _address(host: str, port: int, key: Key | None) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::", "") else host  # noqa: S104
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={key.token}" if key else "")
