"""What replicas have to tell each other, as legacy clients need it: answers, cancellations, news."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness import Failed
from load import LEGACY, MODERN, Client, events
from shared import ABLE, ANSWERS, ASKING, Stage, check, modern, result, text, until

THREADS = 8
QUESTIONS = 200
COUNTER = "data://counter"
# A stream that is resumed has to come to its replica: docs/scaling.md.
NOT_YET = ["server-sse-polling"]
SUITE = Path(__file__).resolve().parents[1] / "conformance" / "run"


def legacy_questions_are_answered_anywhere(stage: Stage) -> str:
    """The call waits at one replica, and the answer comes to another one."""

    def ask(numbers: range) -> None:
        client = stage.client(LEGACY, ABLE)
        for number in numbers:
            call, said = ASKING[number % 2]
            headers, request = client.request("tools/call", call)
            with client.endpoint.open("POST", headers, json.dumps(request)) as response:
                for message in events(response):
                    if answer := ANSWERS.get(message.get("method", "")):
                        status, _ = client.send({"jsonrpc": "2.0", "id": message["id"], "result": answer})
                        check("an answer is taken", status == 202, status)
                    elif "method" not in message:
                        check("an answer reaches its call", said in text(message), message)
                        break
                else:
                    check("a call that asks has a result", False)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(ask, [range(QUESTIONS // THREADS)] * THREADS))
    return f"{QUESTIONS} of {QUESTIONS}"


def cancellations_reach_the_call(stage: Stage) -> str:
    """The notification comes to any replica."""
    slowest = 0.0
    for _ in range(12):
        client = stage.client(LEGACY)
        call = {"name": "long_operation", "arguments": {"seconds": 20, "steps": 1}}
        headers, request = client.request("tools/call", call)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.send, request, headers)
            until("a call is in flight", 2, lambda: in_flight(stage) == 1)
            began = time.monotonic()
            params = {"requestId": request["id"]}
            status, _ = client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
            check("a cancellation is taken", status == 202, status)
            _, messages = asked.result()
            slowest = max(slowest, time.monotonic() - began)
        check("a call that is cancelled has no answer", not [m for m in messages if "result" in m], messages)
        until("the work ends", 1, lambda: in_flight(stage) == 0)
    return f"12 calls, at most {slowest * 1000:.0f} ms"


def in_flight(stage: Stage) -> int:
    metric = "mcp_server_requests_in_flight "
    lines = [line for replica in stage.replicas for line in stage.metrics(replica).splitlines()]
    return sum(int(line.removeprefix(metric)) for line in lines if line.startswith(metric))


@contextlib.contextmanager
def listening(client: Client, method: str, headers: dict[str, str], body: str | None) -> Iterator[list[dict[str, Any]]]:
    """Opens a stream, and gives what comes on it; it is read until the block ends."""
    came: list[dict[str, Any]] = []
    opened = threading.Event()
    over = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError), client.endpoint.open(method, headers, body) as response:
            opened.set()
            for message in events(response):
                came.append(message)
                if over.is_set():
                    return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    check("a stream opens", opened.wait(5))
    try:
        yield came
    finally:
        over.set()


@contextlib.contextmanager
def get_stream(client: Client) -> Iterator[list[dict[str, Any]]]:
    headers = client.headers("") | {"Accept": "text/event-stream"}
    headers.pop("Content-Type")
    with listening(client, "GET", headers, None) as came:
        yield came


@contextlib.contextmanager
def subscription(client: Client, wishes: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    headers, message = client.request("subscriptions/listen", {"notifications": wishes})
    with listening(client, "POST", headers, json.dumps(message)) as came:
        until("a subscription is acknowledged", 5, lambda: bool(came))
        yield came


def of(came: list[dict[str, Any]], method: str) -> int:
    return sum(message.get("method") == method for message in came)


def updates_are_heard_everywhere(stage: Stage) -> str:
    """A resource changes at any replica: legacy clients hear it on their `GET` stream, others on their subscription."""
    updated = "notifications/resources/updated"
    with contextlib.ExitStack() as open_streams:
        streams = []
        for _ in range(6):
            client = stage.client(LEGACY)
            streams.append(open_streams.enter_context(get_stream(client)))
            result(client.ask("resources/subscribe", {"uri": COUNTER})[1])
        for _ in range(6):
            wishes = {"resourceSubscriptions": [COUNTER]}
            streams.append(open_streams.enter_context(subscription(modern(stage), wishes)))
        # A subscription at another replica than the stream's counts a moment later.
        time.sleep(0.5)
        count = {"name": "count", "arguments": {}}
        slowest = 0.0
        for number in range(1, 13):
            result(modern(stage).ask("tools/call", count)[1])
            heard = lambda: all(of(came, updated) >= number for came in streams)  # noqa: B023, E731
            slowest = max(slowest, until("everybody hears of a change", 2, heard))
        # Nobody hears it twice.
        time.sleep(0.5)
        heard = [of(came, updated) for came in streams]
        check("each hears each change once", heard == [12] * len(streams), heard)
    return f"12 changes, 12 streams, at most {slowest * 1000:.0f} ms"


def tasks_are_told_everywhere(stage: Stage) -> str:
    """A task changes where it runs, and who listens for it hears it elsewhere."""
    client = modern(stage)
    for replica in stage.at_each(client):
        call = {"name": "research", "arguments": {"topic": "ships", "seconds": 0.3}}
        task = result(replica.ask("tools/call", call)[1])["taskId"]
        with contextlib.ExitStack() as open_streams:
            wishes = {"taskIds": [task]}
            streams = [open_streams.enter_context(subscription(each, wishes)) for each in stage.at_each(client)]
            ended = lambda: all('"completed"' in json.dumps(came) for came in streams)  # noqa: B023, E731
            until("everybody hears that a task has ended", 5, ended)
    return f"{len(stage.replicas)} tasks at {len(stage.replicas)} replicas"


def conformance(stage: Stage) -> str:
    """The official suite, in each revision."""
    runs = [f"all at {revision}" for revision in ["2025-03-26", "2025-06-18", LEGACY, MODERN]]
    without = [word for scenario in NOT_YET for word in ["--without", scenario]]
    command = [sys.executable, SUITE, "--url", stage.endpoint.url, *without, *runs]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the official conformance suite does not pass through the balancer:\n{done.stdout}{done.stderr}")
    return f"{len(runs)} revisions"


CHECKS: list[Callable[[Stage], str]] = [
    legacy_questions_are_answered_anywhere,
    cancellations_reach_the_call,
    updates_are_heard_everywhere,
    tasks_are_told_everywhere,
]
