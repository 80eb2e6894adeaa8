"""The ways through the bridges, and the processes that each of them takes."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mcp import StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client

from harness import SERVER, START_SECONDS, STOP_SECONDS, TARGET, Failed, http_server, node_environment, npm_tools
from peer import LEGACY, MODERN

HERE = Path(__file__).resolve().parent
NODE = npm_tools(HERE / "package.json")
MCP_PROXY = str(TARGET / "clients" / "mcp-proxy" / "bin" / "mcp-proxy")
# mcp-remote keeps files below the home.
ENVIRONMENT = node_environment(NODE, TARGET / "clients" / "bridges-home") | {
    "NODE_OPTIONS": f'--require "{HERE / "loopback.cjs"}"'
}
# Nothing listens there: a search ends at once and in the same way, with or without a network.
OPTIONS = ["--search-proxy", "http://127.0.0.1:9"]
# How much of what a bridge wrote is shown when something has failed.
SAID_LINES = 15
STDIO_SERVER = [str(SERVER), "serve", *OPTIONS]


@dataclass(frozen=True)
class Way:
    """One bridge in one direction, and the era that is spoken through it."""

    bridge: str
    direction: str
    # The bridge's command for the address of the server, or for the port that it is to listen on.
    command: Callable[[Any], list[str]]
    # The server's transport, where the bridge is its client; without one, the bridge starts it over stdio.
    behind: str | None = None
    # The path that the bridge serves; without one, the client starts it over stdio.
    path: str | None = None
    mode: str = LEGACY
    # Words of the error that a tool which asks ends in, where the bridge carries no questions to the client.
    refusal: str | None = None
    # Whether it carries logs to the client.
    logs: bool = True

    @property
    def modern(self) -> bool:
        return self.mode != LEGACY

    def __str__(self) -> str:
        return f"{self.bridge}, {self.direction}, {'modern' if self.modern else 'legacy'} era"


def mcp_remote(*options: str) -> Callable[[str], list[str]]:
    return lambda address: [str(NODE / "mcp-remote"), address, "--allow-http", *options]


def supergateway_to(option: str) -> Callable[[str], list[str]]:
    return lambda address: [str(NODE / "supergateway"), option, address]


def supergateway_from(*options: str) -> Callable[[int], list[str]]:
    program = str(NODE / "supergateway")
    return lambda port: [program, "--stdio", shlex.join(STDIO_SERVER), "--port", str(port), *options]


def mcp_proxy_to(transport: str) -> Callable[[str], list[str]]:
    return lambda address: [MCP_PROXY, "--transport", transport, address]


def mcp_proxy_from(port: int) -> list[str]:
    return [MCP_PROXY, "--port", str(port), "--", *STDIO_SERVER]


HTTP = ["--outputTransport", "streamableHttp"]
# mcp-proxy has no user and no model, and says so; supergateway promises what its client has, and then knows of no such method.
PROXY = {"refusal": "The client does not support", "logs": False}
GATEWAY = {"refusal": "Method not found", "logs": False}
# A process for each request: no later one can bring an answer or set a level.
STATELESS = {"refusal": "The client does not support", "logs": False}

WAYS = [
    Way("mcp-remote", "stdio → streamable HTTP", mcp_remote("--transport", "http-only"), behind="http"),
    Way(
        "mcp-remote",
        "stdio → streamable HTTP",
        mcp_remote("--transport", "http-only", "--protocol", "auto"),
        behind="http",
        mode=MODERN,
    ),
    Way("mcp-remote", "stdio → SSE", mcp_remote("--transport", "sse-only"), behind="sse"),
    Way("supergateway", "stdio → streamable HTTP", supergateway_to("--streamableHttp"), behind="http", **GATEWAY),
    Way("supergateway", "stdio → SSE", supergateway_to("--sse"), behind="sse", **GATEWAY),
    Way("supergateway", "SSE → stdio", supergateway_from(), path="/sse"),
    Way("supergateway", "streamable HTTP with sessions → stdio", supergateway_from(*HTTP, "--stateful"), path="/mcp"),
    Way("supergateway", "streamable HTTP → stdio", supergateway_from(*HTTP), path="/mcp", **STATELESS),
    Way("supergateway", "streamable HTTP → stdio", supergateway_from(*HTTP), path="/mcp", mode=MODERN),
    Way("mcp-proxy", "stdio → streamable HTTP", mcp_proxy_to("streamablehttp"), behind="http", **PROXY),
    Way("mcp-proxy", "stdio → SSE", mcp_proxy_to("sse"), behind="sse", **PROXY),
    Way("mcp-proxy", "SSE → stdio", mcp_proxy_from, path="/sse", **PROXY),
    Way("mcp-proxy", "streamable HTTP → stdio", mcp_proxy_from, path="/mcp", **PROXY),
]


@dataclass(frozen=True)
class Reached:
    """A way whose server runs, and its bridge where that is one that listens."""

    way: Way
    # The bridge's command where the client starts it, else the bridge's address.
    end: list[str] | str
    said: BinaryIO

    @property
    def mode(self) -> str:
        return self.way.mode

    @property
    def modern(self) -> bool:
        return self.way.modern

    def endpoint(self) -> Any:
        if isinstance(self.end, str):
            return sse_client(self.end) if self.end.endswith("/sse") else self.end
        program, *arguments = self.end
        parameters = StdioServerParameters(command=program, args=arguments, env=ENVIRONMENT, cwd="/")
        return stdio_client(parameters, errlog=self.said)


@contextlib.contextmanager
def reached(way: Way) -> Iterator[Reached]:
    """Runs what `way` takes; a failure tells what the bridge has said."""
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as running:
        if way.behind:
            address = running.enter_context(http_server(way.behind, options=OPTIONS))
            end = way.command(address)
        else:
            end = running.enter_context(listening(way, said))
        try:
            yield Reached(way, end, said)
        except BaseException:
            said.seek(0)
            for line in said.read().decode(errors="replace").splitlines()[-SAID_LINES:]:
                print(f"    {way.bridge}: {line[:400]}", file=sys.stderr)
            raise


@contextlib.contextmanager
def listening(way: Way, said: BinaryIO) -> Iterator[str]:
    """Runs a bridge that listens, and sees to it that the servers that it started end with it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        way.command(port), stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", env=ENVIRONMENT
    )
    servers: list[int] = []
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}{way.path}"
        servers = descendants(process.pid)
        process.terminate()
        process.wait(STOP_SECONDS)
        left = remaining(servers)
        if left:
            raise Failed(f"[{way}] the server was still there {STOP_SECONDS} s after its bridge had ended")
    except subprocess.TimeoutExpired:
        raise Failed(f"[{way}] the bridge was still there {STOP_SECONDS} s after SIGTERM") from None
    finally:
        for pid in servers or descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise Failed(f"the bridge did not listen within {START_SECONDS} s; its exit code is {process.poll()}")


def descendants(pid: int) -> list[int]:
    """What a process has started, and what that has; the bridges give their servers process groups of their own."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        children = []
    return children + [deeper for child in children for deeper in descendants(child)]


def remaining(pids: list[int]) -> list[int]:
    """Those that are still there after a while; one that nobody has waited for is not."""

    def alive(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    end = time.monotonic() + STOP_SECONDS
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left
