"""A server of files on the loopback interface that can misbehave in the ways that servers and networks do."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """How one request is answered; the default is a server as it should be."""

    status: int = 200
    location: str | None = None
    cut_after: int | None = None
    hang: bool = False
    trickle: float | None = None
    ranges: bool = True
    validator: str | None = "ETag"
    announced: bool = True
    encoding: str | None = None


@dataclass
class Server:
    """``files`` by path; ``answers`` by path, each used once, in order; ``asked`` has each request."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    end: threading.Event = field(default_factory=threading.Event)

    def ranges_of(self, path: str) -> list[str | None]:
        return [headers.get("Range") for asked, headers in self.asked if asked == path]


@contextmanager
def weight_server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append((self.path, dict(self.headers)))
            queued = state.answers.get(self.path, [])
            answer(self, state, queued.pop(0) if queued else Answer())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.end.set()
            server.shutdown()
            thread.join()


def answer(handler: BaseHTTPRequestHandler, state: Server, how: Answer) -> None:
    if how.hang:
        state.end.wait(30)
    content = state.files.get(handler.path)
    if how.location is not None or how.status >= 300 or content is None:
        handler.send_response(how.status if how.status >= 300 else 302 if how.location else 404)
        if how.location:
            handler.send_header("Location", how.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    start = wanted_start(handler, tag) if how.ranges and how.validator == "ETag" else 0
    if start >= len(content) > 0:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(content)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if how.validator == "ETag":
        handler.send_header("ETag", tag)
    if how.encoding:
        handler.send_header("Content-Encoding", how.encoding)
    if how.announced:
        handler.send_header("Content-Length", str(len(content) - start))
    else:
        handler.close_connection = True
    handler.end_headers()
    send_body(handler, state, content[start:], how)


def wanted_start(handler: BaseHTTPRequestHandler, tag: str) -> int:
    wanted = handler.headers.get("Range", "")
    if handler.headers.get("If-Range") != tag or not wanted.startswith("bytes="):
        return 0
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def send_body(handler: BaseHTTPRequestHandler, state: Server, body: bytes, how: Answer) -> None:
    try:
        if how.trickle is not None:
            for place in range(len(body)):
                handler.wfile.write(body[place : place + 1])
                if state.end.wait(how.trickle):
                    return
        elif how.cut_after is not None:
            handler.wfile.write(body[: how.cut_after])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.wfile.write(body)
    except OSError:
        handler.close_connection = True  # the other side has gone
