"""Calls, asks for and reads everything the server offers through the bridges that people put in front of servers.

The client is the official Python SDK at one end, the real server is at the other, and each bridge stands between them in
each direction that it has.
"""

import sys
import traceback
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from mcp import Client

import components
from asking import PIRATE, TALE, user
from harness import Failed, require_server
from peer import SERVER_NAME, Peer, check, connect, text
from ways import WAYS, Reached, Way, reached

CONVERSATION_SECONDS = 60
LEGACY_VERSION = "2025-11-25"


async def greet(client: Client) -> None:
    result = await client.call_tool("greet", {"name": "Ada"})
    check("greet should greet by name", text(result).startswith("Hello, Ada!") and not result.is_error, result)
    check.equal("greet's structured content", result.structured_content, {"result": text(result)})


async def search(client: Client) -> None:
    """Its proxy is a port where nothing listens, so what comes back is the sentence that says so."""
    result = await client.call_tool("text_web_search", {"query": "rust"})
    said = text(result)
    check(
        "a search without a network should fail with its sentence",
        result.is_error and "No search engine" in said,
        result,
    )


async def angle(client: Client, peer: Peer, way: Way) -> None:
    result = await client.call_tool("vonmises_random", {"mu": 1.5})
    if way.refusal:
        check(
            "a question that can't be carried should end in an error",
            result.is_error and way.refusal in text(result),
            result,
        )
    else:
        # So large a kappa leaves next to no spread.
        check("kappa = 1e8 should keep the angle at mu", abs(float(text(result)) - 1.5) < 0.002, result)
        check.equal("questions to the user", [hasattr(asked, "requested_schema") for asked in peer.asked], [True])
    peer.asked.clear()


async def summary(client: Client, peer: Peer, way: Way) -> None:
    result = await client.call_tool("pirate_summary", {"text": TALE})
    if way.refusal:
        check(
            "a request that can't be carried should end in an error",
            result.is_error and way.refusal in text(result),
            result,
        )
    else:
        check.equal("the model's answer", (text(result), result.is_error), ("Arr, fish!", False))
        check.equal("what the model was given", [asked.messages[0].content.text for asked in peer.asked], [TALE])
    peer.asked.clear()


async def tools(client: Client, peer: Peer, way: Way) -> None:
    """Calls every tool that is listed; one that nobody has thought of here is a failure."""
    calls: dict[str, Callable[[], Awaitable[None]]] = {
        "greet": partial(greet, client),
        "generate_password": partial(components.passwords, client),
        "text_web_search": partial(search, client),
        "permutations": partial(components.permutations, client),
        "run_python_code": partial(components.python, client),
        "pirate_summary": partial(summary, client, peer, way),
        "vonmises_random": partial(angle, client, peer, way),
    }
    for tool in (await client.list_tools()).tools:
        check(f"a call of {tool.name} should be written down here", tool.name in calls)
        await calls[tool.name]()


async def logs(client: Client, peer: Peer, way: Way) -> None:
    if not way.modern:
        await client.set_logging_level("info")
    name = f"Grace {uuid.uuid4()}"
    await client.call_tool("greet", {"name": name})
    entry = await peer.logged(name)
    check("greet's log should arrive", entry is not None and entry.level == "info", peer.logs)


async def converse(target: Reached) -> None:
    way = target.way
    peer = user("accept", value=1e8)
    peer.model = PIRATE
    options: dict[str, Any] = {"log_level": "info"} if way.modern else {}
    with anyio.fail_after(CONVERSATION_SECONDS):
        async with connect(target, peer, **options) as client:
            check.equal("the protocol version", client.protocol_version, way.mode if way.modern else LEGACY_VERSION)
            if not way.modern:
                check.equal("the server's name", client.server_info.name, SERVER_NAME)
            await components.lists(client, target)
            await tools(client, peer, way)
            await components.resources(client, target)
            await components.prompt(client)
            if way.logs:
                await logs(client, peer, way)


def first_cause(error: BaseException) -> BaseException:
    """Task groups wrap what went wrong inside them, sometimes several times."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run(way: Way) -> bool:
    """Whether everything went through; one bridge that fails keeps no other from being tried."""
    check.place = str(way)
    before = check.passed
    try:
        with reached(way) as target:
            anyio.run(converse, target)
    except Exception as error:
        cause = first_cause(error)
        if isinstance(cause, Failed):
            print(f"FAILED {cause}", file=sys.stderr, flush=True)
        else:
            print(f"FAILED [{way}] {type(cause).__name__}: {cause}", file=sys.stderr)
            traceback.print_exception(cause)
        return False
    without = f"; no questions: {way.refusal!r}" if way.refusal else ""
    print(f"{way}: {check.passed - before} checks{without}", flush=True)
    return True


if __name__ == "__main__":
    require_server()
    failed = [run(way) for way in WAYS].count(False)
    print(f"{check.passed} passed, {failed} failed")
    sys.exit(failed > 0)
