"""Lists, calls and reads everything the server offers with the official Python SDK, and checks what the answers mean.

Over stdio and HTTP in both eras, and over the old SSE transport, which knows only the older one.
"""

import sys
import traceback

import anyio
from mcp import Client

from asking import all_questions
from components import all_components
from harness import Failed, http_server, require_server
from peer import LEGACY, MODERN, SERVER_NAME, Target, check

CONVERSATION_SECONDS = 120


async def discovery(target: Target) -> None:
    """A client that is told nothing about the server must end up in the modern era by itself."""
    async with Client(target.endpoint(), mode="auto") as client:
        check.equal("the version that was found", client.protocol_version, MODERN)
        check.equal("the server's name", client.server_info and client.server_info.name, SERVER_NAME)
        offered = client.server_capabilities
        check("tools, resources and prompts", None not in (offered.tools, offered.resources, offered.prompts), offered)


async def converse(target: Target) -> None:
    check.place = str(target)
    before = check.passed
    with anyio.fail_after(CONVERSATION_SECONDS):
        await all_components(target)
        await all_questions(target)
        if target.modern:
            await discovery(target)
    print(f"{target}: {check.passed - before} checks", flush=True)


def run() -> None:
    require_server()
    for mode in (LEGACY, MODERN):
        anyio.run(converse, Target("stdio", mode))
    with http_server() as address:
        for mode in (LEGACY, MODERN):
            anyio.run(converse, Target("http", mode, address))
    with http_server("sse") as address:
        anyio.run(converse, Target("sse", LEGACY, address))


def first_cause(error: BaseException) -> BaseException:
    """Task groups wrap what went wrong inside them, sometimes several times."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    try:
        run()
    except Exception as error:
        cause = first_cause(error)
        if isinstance(cause, Failed):
            print(f"FAILED {cause}", file=sys.stderr)
        else:
            print(f"FAILED [{check.place}] {type(cause).__name__}: {cause}", file=sys.stderr)
            traceback.print_exception(cause)
        print(f"{check.passed} passed, 1 failed")
        sys.exit(1)
    print(f"{check.passed} passed, 0 failed")
