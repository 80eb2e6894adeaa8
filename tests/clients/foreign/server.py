"""A server made with FastMCP, with one of everything."""

import sys
from enum import Enum
from typing import Annotated

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.utilities.types import Image
from pydantic import BaseModel, Field

server = FastMCP("snake", version="1.0.0", instructions="A server in Python.")


class Colour(Enum):
    GREEN = "green"
    BROWN = "brown"


class Size(BaseModel):
    metres: int


@server.tool
def greet(name: str = "World", times: int = 1) -> str:
    """Greets somebody. Several times, if wanted."""
    return " ".join([f"Hello, {name}!"] * times)


@server.tool
def add(numbers: list[int], colour: Colour | None = None) -> dict[str, int | str | None]:
    """Adds numbers."""
    return {"sum": sum(numbers), "colour": colour.value if colour else None}


@server.tool
async def measure(ctx: Context) -> str:
    """Asks for a size."""
    answer = await ctx.elicit("How long is the snake?", response_type=Size)
    return f"{answer.data.metres} m" if answer.action == "accept" else answer.action


@server.tool
async def slither(ctx: Context, steps: Annotated[int, Field(ge=1, le=5)]) -> str:
    """Tells its progress."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
    await ctx.info("It slithered.")
    return "There."


@server.tool
def bite() -> str:
    """Fails."""
    raise ToolError("It has no teeth.")


@server.tool
def draw() -> Image:
    """Gives a picture."""
    return Image(data=b"\x89PNG\r\n\x1a\nsnake", format="png")


@server.resource("snake://skin", mime_type="text/plain")
def skin() -> str:
    """Its skin."""
    return "scales"


@server.resource("snake://egg/{number}")
def egg(number: int) -> str:
    """An egg."""
    return f"egg {number}"


@server.prompt
def charm(tune: str, slowly: bool = False) -> str:
    """Charms it."""
    return f"Play {tune}{' slowly' if slowly else ''}."


match sys.argv[1:]:
    case []:
        server.run(show_banner=False)
    case [port]:
        server.run(transport="http", port=int(port), show_banner=False, log_level="error")
