"""A server of files on loopback that can break off, forget ranges, refuse and redirect."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"one"'
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which each of the next answers breaks off."""
    ranges: bool = True
    status: int | None = None
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and range of what was asked."""
    credentials: set[str] = field(default_factory=set)
    sent: int = 0
    """Bytes of all bodies."""
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *words):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        site = self.site
        wanted = self.headers.get("Range")
        site.asked.append((self.command, self.path, wanted))
        if "Authorization" in self.headers:
            site.credentials.add(self.headers["Authorization"])
        if self.path in site.moved:
            return self.say(302, {"Location": site.moved[self.path]})
        if site.status:
            return self.say(site.status, {})
        content = site.files.get(self.path)
        if content is None:
            return self.say(404, {"X-Error-Code": "EntryNotFound"})
        start, code, extra = 0, 200, {}
        fits = self.headers.get("If-Range", site.etag) == site.etag
        if wanted and site.ranges and fits:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return self.say(416, {"Content-Range": f"bytes */{len(content)}"})
            code = 206
            extra["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if site.etag:
            extra["ETag"] = site.etag
        self.say(code, extra | site.headers, len(content) - start)
        if body:
            cut = site.cuts.pop(0) if site.cuts else None
            part = content[start:][:cut]
            site.sent += len(part)
            self.wfile.write(part)
        return None

    def say(self, code, headers, length=0):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


@contextmanager
def serving():
    """A site and its address, until the block ends."""
    site = Site()
    handler = type("Bound", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
