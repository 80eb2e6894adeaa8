"""Clients of both eras, which count what fails and when: plain HTTP, a connection for each request."""

import http.client
import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from harness import Failed

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
# Less than the 15 s after which a server says on a silent stream that it is still there.
SECONDS = 10


@dataclass
class Endpoint:
    """Where a server or the proxy in front of it listens."""

    url: str
    trusted: ssl.SSLContext | None = None

    @contextmanager
    def open(
        self, method: str, headers: dict[str, str], body: str | None = None, silence: float = SECONDS
    ) -> Iterator[http.client.HTTPResponse]:
        """Sends a request, and gives up after so many seconds in which nothing comes."""
        at = urlsplit(self.url)
        if at.scheme == "https":
            connection = http.client.HTTPSConnection(at.hostname, at.port, timeout=silence, context=self.trusted)
        else:
            connection = http.client.HTTPConnection(at.hostname, at.port, timeout=silence)
        try:
            connection.request(method, at.path, body, headers)
            yield connection.getresponse()
        finally:
            connection.close()


def numbered(response: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The events of a stream that have an id, with it; the first has no message."""
    event = ""
    for line in response:
        if line.startswith(b"id:"):
            event = line[3:].decode().strip()
        elif line.startswith(b"data:") and event:
            text = line[5:].strip()
            yield event, json.loads(text) if text else None


def events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The messages of an answer, each as soon as it is there."""
    if not response.getheader("Content-Type", "").startswith("text/event-stream"):
        text = response.read()
        if text:
            yield json.loads(text)
        return
    for line in response:
        if line.startswith(b"data:") and line[5:].strip():
            yield json.loads(line[5:])


BOTH = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass
class Client:
    """A client of one era. A legacy one has to `initialize` first."""

    endpoint: Endpoint
    era: str
    session: str | None = None
    ids: Iterator[int] = field(default_factory=itertools.count)
    capabilities: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    # What `greet` calls: a tool that works at once, and answers the same to everybody.
    tool: dict[str, Any] = field(default_factory=lambda: {"name": "greet", "arguments": {"name": "Ada"}})
    # Which of its era's.
    revision: str = LEGACY

    def initialize(self, capabilities: dict[str, Any] | None = None, known_everywhere: bool = True) -> None:
        about = {"name": "deploy", "version": "1"}
        params = {"protocolVersion": self.revision, "capabilities": capabilities or self.capabilities, "clientInfo": about}
        request = {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params}
        with self.endpoint.open("POST", BOTH | self._bearer(), json.dumps(request)) as response:
            answer = list(events(response))
            self.session = response.getheader("Mcp-Session-Id")
        if self.session is None:
            raise Failed(f"initialize got {response.status} and no session: {answer}")
        status, _ = self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        if status != 202 and (known_everywhere or status != 404):
            raise Failed(f"notifications/initialized got {status}")

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def headers(self, method: str, name: str | None = None) -> dict[str, str]:
        both = BOTH | self._bearer()
        if self.era == LEGACY:
            return both | {"Mcp-Session-Id": self.session or "", "MCP-Protocol-Version": self.revision}
        named = {"Mcp-Name": name} if name else {}
        return both | {"MCP-Protocol-Version": MODERN, "Mcp-Method": method} | named

    def request(self, method: str, params: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        if self.era == MODERN:
            prefix = "io.modelcontextprotocol/"
            meta = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": self.capabilities}
            params = params | {"_meta": meta}
        message = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params}
        return self.headers(method, params.get("name") or params.get("uri") or params.get("taskId")), message

    def send(self, message: dict[str, Any], headers: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
        headers = headers or self.headers(message.get("method", ""))
        with self.endpoint.open("POST", headers, json.dumps(message)) as response:
            return response.status, list(events(response))

    def ask(self, method: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Sends a request: the HTTP status, and the answer."""
        headers, message = self.request(method, params)
        status, messages = self.send(message, headers)
        answers = [m for m in messages if m.get("id") == message["id"]]
        if len(answers) != 1:
            raise Failed(f"{method} got {status} and {messages}")
        return status, answers[0]

    def greet(self) -> tuple[int, bool]:
        """Calls a tool: the HTTP status, and whether there is a result without an error."""
        headers, message = self.request("tools/call", self.tool)
        status, messages = self.send(message, headers)
        answers = [m for m in messages if m.get("id") == message["id"]]
        return status, len(answers) == 1 and not answers[0].get("result", {"isError": True}).get("isError", False)


@dataclass
class Call:
    """One call that failed."""

    began: float
    ended: float
    era: str
    why: str


class Load:
    """Threads that call until they are told to stop."""

    def __init__(self, clients: list[Client], threads: int) -> None:
        self.done = 0
        # When each call began, and how long it took.
        self.times: list[tuple[float, float]] = []
        self.failed: list[Call] = []
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(client,), daemon=True) for client in clients for _ in range(threads)
        ]

    def _call(self, client: Client) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                status, fine = client.greet()
                why = None if status == 200 and fine else f"status {status}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = repr(error)
            ended = time.monotonic()
            with self._more:
                self.done += 1
                self.times.append((began, ended - began))
                if why is not None:
                    self.failed.append(Call(began, ended, client.era, why))
                self._more.notify_all()

    def reach(self, calls: int) -> None:
        """Waits until so many calls are done."""
        with self._more:
            if not self._more.wait_for(lambda: self.done >= calls, timeout=120):
                raise Failed(f"only {self.done} of {calls} calls were done within two minutes; failed: {self.failed[:3]}")

    def run(self, during: Callable[["Load"], None]) -> None:
        for thread in self._threads:
            thread.start()
        try:
            during(self)
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(SECONDS)
