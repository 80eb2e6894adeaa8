"""What every transport and both eras must answer alike: lists, tools, resources and the prompt."""

import base64
import hashlib
import json
import re
import string
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from xml.etree import ElementTree

import anyio
from mcp import Client

from peer import SERVER_NAME, Peer, Target, check, connect, refused, text

PLAIN_TOOLS = {"greet", "generate_password", "text_web_search", "permutations", "run_python_code"}
ASKING_TOOLS = {"pirate_summary", "vonmises_random"}
INVALID_PARAMS, RESOURCE_NOT_FOUND = -32602, -32002


async def lists(client: Client, target: Target) -> None:
    tools = await client.list_tools()
    check.equal("the tools", {tool.name for tool in tools.tools}, PLAIN_TOOLS | ASKING_TOOLS)
    for tool in tools.tools:
        check(f"{tool.name} should say what it does", bool(tool.description), tool)
        check.equal(f"the input schema's type of {tool.name}", tool.input_schema.get("type"), "object")
    resources = await client.list_resources()
    check.equal("the resources", {str(r.uri) for r in resources.resources}, {"data://logo", "data://logo_svg"})
    templates = await client.list_resource_templates()
    check.equal("the templates", [t.uri_template for t in templates.resource_templates], ["data://modulo10/{number}"])
    prompts = await client.list_prompts()
    check.equal("the prompts", [p.name for p in prompts.prompts], ["code_prompt"])
    argument = prompts.prompts[0].arguments[0]
    check.equal("the prompt's argument", (argument.name, argument.required), ("task", True))
    for answer in (tools, resources, templates, prompts):
        check.equal("there should be one page; the cursor", answer.next_cursor, None)
        if target.modern:
            check.equal("resultType", answer.result_type, "complete")
            check("a time to live and a scope should be given", answer.ttl_ms >= 0 and bool(answer.cache_scope), answer)


async def greet(client: Client, target: Target) -> None:
    # A name of its own, so that no earlier conversation has left an answer in the cache.
    name = f"Ada {uuid.uuid4()}"
    first = await client.call_tool("greet", {"name": name})
    greeting = text(first)
    check("greet should greet by name", greeting.startswith(f"Hello, {name}!") and not first.is_error, greeting)
    check.equal("greet's structured content", first.structured_content, {"result": greeting})
    stamp = re.search(r"\d{4}-\d\d-\d\dT[\d:.]+(?:\+00:00|Z)", greeting)
    check("greet should tell the time in UTC", stamp is not None, greeting)
    age = datetime.now(UTC) - datetime.fromisoformat(stamp[0].replace("Z", "+00:00"))
    check("greet's time should be now", abs(age) < timedelta(minutes=2), greeting)
    check("the package should be named in _meta", "_package_metadata" in first.meta, first.meta)
    check("the time taken should be in _meta", first.meta["_timing_metadata"]["tool_response_time_ms"] >= 0, first.meta)
    if target.modern:
        check.equal("the server named in _meta", first.meta["io.modelcontextprotocol/serverInfo"]["name"], SERVER_NAME)
    again = await client.call_tool("greet", {"name": name})
    check.equal("the greeting from the cache", text(again), greeting)
    check("no name greets the world", text(await client.call_tool("greet")).startswith("Hello World!"))


async def passwords(client: Client) -> None:
    drawn = []
    for _ in range(2):
        result = await client.call_tool("generate_password", {"length": 24, "use_special_chars": True})
        password = result.structured_content["result"]
        check.equal("the password's length", len(password), 24)
        check(
            "the text should hold the password",
            json.dumps(password)[1:-1] in text(result) or password in text(result),
            result,
        )
        for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation):
            check(f"a character of {kind!r}", any(c in kind for c in password), password)
        drawn.append(password)
    check("two passwords should differ", drawn[0] != drawn[1], drawn)
    plain = (await client.call_tool("generate_password", {})).structured_content["result"]
    check("by default, 12 letters and digits", re.fullmatch("[A-Za-z0-9]{12}", plain) is not None, plain)
    short = await client.call_tool("generate_password", {"length": 7})
    check("a length of 7 should be refused as the caller's mistake", short.is_error and "8" in text(short), short)


async def permutations(client: Client) -> None:
    for arguments, wanted in (
        ({"n": 5, "k": 2}, 20),
        ({"n": 5}, 120),
        ({"n": "6", "k": 3.0}, 120),
        # Beyond 2^53 a JSON number would be rounded by most clients.
        ({"n": 30}, "265252859812191058636308480000000"),
    ):
        result = await client.call_tool("permutations", arguments)
        check.equal(f"permutations of {arguments}", result.structured_content, {"result": wanted})
        check.equal(f"the text for {arguments}", text(result), str(wanted))
    large = await client.call_tool("permutations", {"n": 5, "k": 9})
    check("k > n should be refused as the caller's mistake", large.is_error and "9" in text(large), large)

    answers: dict[int, str] = {}

    async def one(n: int) -> None:
        answers[n] = text(await client.call_tool("permutations", {"n": n, "k": 1}))

    async with anyio.create_task_group() as group:
        for n in range(101, 121):
            group.start_soon(one, n)
    check.equal("calls made at once, each with its own answer", answers, {n: str(n) for n in range(101, 121)})


async def python(client: Client) -> None:
    result = await client.call_tool(
        "run_python_code",
        {"code": "print('adding')\n{'sum': sum(numbers), 'big': 2**64}", "inputs": {"numbers": [1, 2, 3]}},
    )
    check.equal("Python's value", result.structured_content, {"sum": 6, "big": str(2**64)})
    value, printed = result.content
    check.equal("Python's value as text", value.text, f'{{"sum":6,"big":{2**64}}}')
    check.equal("what Python printed", printed.text, "adding\n")
    for code, words in {
        "1 +": "SyntaxError",
        "1 + 'a'": "TypeError: unsupported operand",
        "nowhere": "unresolved-reference",
        "[][1]": "IndexError",
        "open('/etc/passwd')": "FileNotFoundError",
    }.items():
        failed = await client.call_tool("run_python_code", {"code": code})
        check(f"{code} should fail with {words}", failed.is_error and words in text(failed), failed)


async def resources(client: Client, target: Target) -> None:
    logo = (await client.read_resource("data://logo")).contents[0]
    check.equal("the logo's type", logo.mime_type, "application/json")
    fields = json.loads(logo.text)
    image = base64.b64decode(fields["data"], validate=True)
    check("the logo should be a PNG", image.startswith(b"\x89PNG\r\n\x1a\n"), image[:16])
    check.equal("the hash algorithm", fields["hash_algorithm"], "sha3_512")
    check.equal("the logo's hash", fields["hash"], hashlib.sha3_512(image).hexdigest())
    drawing = (await client.read_resource("data://logo_svg")).contents[0]
    check.equal("the drawing's type", drawing.mime_type, "image/svg+xml")
    check("the drawing should be SVG", ElementTree.fromstring(drawing.text.encode()).tag.endswith("}svg"))
    for number, sign in ((7, "❼"), (64, "④"), (130, "⓪")):
        content = (await client.read_resource(f"data://modulo10/{number}")).contents[0]
        check.equal(f"{number} modulo 10", (content.text, content.mime_type), (sign, "text/plain"))
    error = await refused(partial(client.read_resource, "data://modulo10/1001"))
    check("a number out of range should be refused", error is not None and error.code == INVALID_PARAMS, error)
    error = await refused(partial(client.read_resource, "data://nothing"))
    check("an unknown resource should be an error", error is not None)
    check.equal("its code", error.code, INVALID_PARAMS if target.modern else RESOURCE_NOT_FOUND)


async def prompt(client: Client) -> None:
    task = "sort a list of café names"
    result = await client.get_prompt("code_prompt", {"task": task})
    check.equal("the prompt's messages", [m.role for m in result.messages], ["user"])
    check("the prompt should contain the task", task in result.messages[0].content.text, result)
    for name, arguments in (("code_prompt", {}), ("nothing", {"task": task})):
        error = await refused(partial(client.get_prompt, name, arguments))
        check(
            f"prompt {name!r} with {arguments} should be refused",
            error is not None and error.code == INVALID_PARAMS,
            error,
        )


async def mistakes(client: Client) -> None:
    error = await refused(partial(client.call_tool, "nothing", {}))
    check("an unknown tool should be refused", error is not None and error.code == INVALID_PARAMS, error)
    wrong = await client.call_tool("permutations", {"n": "many"})
    check("a wrong argument should be named", wrong.is_error and "n" in text(wrong), wrong)
    region = await client.call_tool("text_web_search", {"query": "x", "region": "en-uk"})
    check("an unknown region should be refused with a known one", region.is_error and "uk-en" in text(region), region)
    extra = await client.call_tool("permutations", {"n": 4, "k": 2, "unheard_of": True})
    check.equal("an unknown argument is passed over; the answer", text(extra), "12")


async def logging(target: Target) -> None:
    """Logs arrive when asked for, at the level asked for, and not otherwise."""
    peer = Peer()
    for level, wanted in (("info", True), ("error", False)):
        options = {"log_level": level} if target.modern else {}
        async with connect(target, peer, **options) as client:
            if not target.modern:
                await client.set_logging_level(level)
            name = f"Grace {uuid.uuid4()}"
            await client.call_tool("greet", {"name": name})
            # A second exchange, so that what was not sent by then is not on its way either.
            await client.list_tools()
            entry = await peer.logged(name) if wanted else next((e for e in peer.logs if name in str(e.data)), None)
            check(
                f"at level {level}, greet's info should {'' if wanted else 'not '}arrive",
                (entry is not None) == wanted,
                peer.logs,
            )
            if wanted:
                check.equal("its level", entry.level, "info")


async def all_components(target: Target) -> None:
    peer = Peer()
    async with connect(target, peer) as client:
        check.equal("the protocol version", client.protocol_version, target.mode if target.modern else "2025-11-25")
        if not target.modern:
            check.equal("the server's name", client.server_info.name, SERVER_NAME)
            offered = client.server_capabilities
            check(
                "tools, resources, prompts and logs",
                None not in (offered.tools, offered.resources, offered.prompts, offered.logging),
                offered,
            )
            await client.send_ping()
        await lists(client, target)
        await greet(client, target)
        await passwords(client)
        await permutations(client)
        await python(client)
        await resources(client, target)
        await prompt(client)
        await mistakes(client)
        if target.modern:
            check.equal("logs that nobody asked for", peer.logs, [])
    await logging(target)
