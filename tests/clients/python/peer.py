"""A client with a known user and a known model behind it, and the tally of what was checked."""

import contextlib
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from harness import SERVER, Failed

# Both eras are checked on purpose, so being told that one of them is old is no news.
warnings.simplefilter("ignore", MCPDeprecationWarning)

LEGACY = "legacy"
MODERN = "2026-07-28"
SERVER_NAME = "pymcp-template"
ANSWER_SECONDS = 20


class Tally:
    """Counts what held, and ends the run at the first thing that didn't."""

    def __init__(self) -> None:
        self.passed = 0
        self.place = ""

    def __call__(self, what: str, held: bool, got: Any = None) -> None:
        if not held:
            raise Failed(f"[{self.place}] {what}\n    got: {got!r}")
        self.passed += 1

    def equal(self, what: str, got: Any, wanted: Any) -> None:
        self(f"{what} should be {wanted!r}", got == wanted, got)


check = Tally()


class Complaints(logging.Handler):
    """Keeps what the SDK warns about: a server that upsets its client has a fault."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(f"{record.name}: {record.getMessage()}")


@dataclass
class Peer:
    """What the user and the model answer; without an answer, the capability is not declared."""

    user: types.ElicitResult | None = None
    model: types.CreateMessageResult | types.ErrorData | None = None
    asked: list[Any] = field(default_factory=list)
    logs: list[types.LoggingMessageNotificationParams] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def elicit(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params)
        return self.user

    async def sample(self, _context: Any, params: Any) -> Any:
        self.asked.append(params)
        return self.model

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logs.append(params)

    async def message(self, message: Any) -> None:
        if isinstance(message, Exception):
            self.faults.append(message)

    async def logged(self, text: str) -> types.LoggingMessageNotificationParams | None:
        """The log message that contains `text`; the SDK hands them over a little later than results."""
        with anyio.move_on_after(2):
            while True:
                for entry in self.logs:
                    if text in str(entry.data):
                        return entry
                await anyio.sleep(0.01)
        return None


@dataclass(frozen=True)
class Target:
    """One way to reach the server, and the era to speak."""

    transport: str
    mode: str
    address: str | None = None

    @property
    def modern(self) -> bool:
        return self.mode != LEGACY

    def __str__(self) -> str:
        return f"{self.transport}, {'modern' if self.modern else 'legacy'} era"

    def endpoint(self) -> Any:
        if self.transport == "stdio":
            return StdioServerParameters(command=str(SERVER), cwd="/")
        return sse_client(self.address) if self.transport == "sse" else self.address


@contextlib.asynccontextmanager
async def connect(target: Target, peer: Peer, **options: Any) -> AsyncIterator[Client]:
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    settings: dict[str, Any] = {
        "mode": target.mode,
        "read_timeout_seconds": ANSWER_SECONDS,
        "elicitation_callback": peer.elicit if peer.user else None,
        "sampling_callback": peer.sample if peer.model else None,
        "logging_callback": peer.log,
        "message_handler": peer.message,
        # The SDK's own cache would hide the server's answers.
        "cache": None,
    }
    try:
        async with Client(target.endpoint(), **(settings | options)) as client:
            yield client
    finally:
        logging.getLogger().removeHandler(complaints)
    check("the SDK should find nothing to complain about", not complaints.records, complaints.records)
    check("every message should be one the SDK can read", not peer.faults, peer.faults)


async def refused(call: Callable[[], Awaitable[Any]]) -> MCPError | None:
    """The protocol error that `call` ends in, if it does."""
    try:
        await call()
    except MCPError as error:
        return error
    return None


def text(result: Any) -> str:
    """The text of a tool result or of a prompt message, which here is always one block."""
    check.equal("the number of content blocks", len(result.content), 1)
    return result.content[0].text
