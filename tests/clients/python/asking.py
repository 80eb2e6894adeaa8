"""The tools that ask the user or the client's model."""

import math
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from peer import Peer, Target, check, connect, text

MISSING_CAPABILITY = -32021
TALE = "A ship left the harbour and came back with fish."
PIRATE = types.CreateMessageResult(
    role="assistant", content=types.TextContent(type="text", text="Arr, fish!"), model="parrot", stop_reason="endTurn"
)


def user(action: str, **content: Any) -> Peer:
    return Peer(user=types.ElicitResult(action=action, content=content or None))


async def ask(target: Target, peer: Peer, tool: str, arguments: dict[str, Any]) -> Any:
    """The tool's result, or the protocol error that the call ends in."""
    async with connect(target, peer) as client:
        try:
            return await client.call_tool(tool, arguments)
        except MCPError as error:
            return error


async def vonmises(target: Target, peer: Peer) -> Any:
    return await ask(target, peer, "vonmises_random", {"mu": 1.5})


async def pirate(target: Target, peer: Peer) -> Any:
    return await ask(target, peer, "pirate_summary", {"text": TALE})


async def elicitation(target: Target) -> None:
    sharp = user("accept", value=1e8)
    result = await vonmises(target, sharp)
    check.equal("questions to the user", len(sharp.asked), 1)
    question = sharp.asked[0]
    check("the question should be about kappa", "kappa" in question.message, question)
    check.equal("the value asked for", question.requested_schema["properties"]["value"]["type"], "number")
    angle = result.structured_content["result"]
    # So large a kappa leaves next to no spread: one part in ten thousand is one standard deviation.
    check("kappa = 1e8 keeps the angle at mu", math.isclose(angle, 1.5, abs_tol=0.002), angle)
    check.equal("the number as text", float(text(result)), angle)

    for kind, peer in (("kappa = 0", user("accept", value=0)), ("a declined question", user("decline"))):
        result = await vonmises(target, peer)
        check(f"{kind} still gives an angle", not result.is_error and 0 <= float(text(result)) <= math.tau, result)
    result = await vonmises(target, user("cancel"))
    check("a cancelled question ends the call", result.is_error and "cancel" in text(result).lower(), result)
    result = await vonmises(target, user("accept", value=-1))
    check("a negative kappa should be refused", result.is_error and "kappa" in text(result), result)


async def sampling(target: Target) -> None:
    parrot = Peer(model=PIRATE)
    result = await pirate(target, parrot)
    check.equal("requests to the model", len(parrot.asked), 1)
    request = parrot.asked[0]
    check.equal("what the model is to summarise", request.messages[0].content.text, TALE)
    check("the model should be told to talk like a pirate", "pirate" in request.system_prompt, request)
    check("the answer should be bounded", request.max_tokens > 0, request)
    check.equal("the summary", text(result), "Arr, fish!")
    check.equal("the summary's structure", result.structured_content, {"result": "Arr, fish!"})

    if target.modern:
        # There a refusal stays with the client: the call is simply not made again.
        return
    mute = Peer(model=types.ErrorData(code=-1, message="The user said no."))
    result = await pirate(target, mute)
    check("a refused request is told on", result.is_error and "The user said no." in text(result), result)


async def without(target: Target) -> None:
    """Clients that can't be asked are told what they lack: by the result, or by an error of its own."""
    for call, capability in ((vonmises, "elicitation"), (pirate, "sampling")):
        told = await call(target, Peer())
        if target.modern:
            check("a missing capability should be an error", isinstance(told, MCPError), told)
            check.equal("its code", told.code, MISSING_CAPABILITY)
            check("the capability should be named", capability in told.data["requiredCapabilities"], told.data)
        else:
            check(f"without {capability}, a clear error", told.is_error and capability in text(told).lower(), told)


async def all_questions(target: Target) -> None:
    await elicitation(target)
    await sampling(target)
    await without(target)
