"""What replicas have to tell each other, as legacy clients need it: answers, cancellations, news."""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import Failed
from load import LEGACY, Client, events, numbered
from shared import ABLE, ANSWERS, ASKING, Stage, check, modern, result, text, until

THREADS = 8
QUESTIONS = 200
COUNTER = "data://counter"
LEGACY_REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
# For as long a stream may say nothing but that it is there.
SILENCE = 60
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


def calls_end_with_their_connection(stage: Stage) -> str:
    """So a client without a session cancels: the proxy has to pass it on."""
    client = modern(stage)
    call = {"name": "long_operation", "arguments": {"seconds": 20, "steps": 1}}
    slowest = 0.0
    for _ in range(6):
        headers, request = client.request("tools/call", call)
        connection = http.client.HTTPConnection(urlsplit(client.endpoint.url).netloc)
        connection.request("POST", "/mcp", json.dumps(request), headers)
        until("a call is in flight", 2, lambda: in_flight(stage) == 1)
        connection.close()
        slowest = max(slowest, until("the work ends", 2, lambda: in_flight(stage) == 0))
    return f"6 calls, at most {slowest * 1000:.0f} ms"


def streams_are_resumed_anywhere(stage: Stage) -> str:
    """A stream breaks at one replica when the call asks, the answer comes to any, and the result is read at another."""
    client = stage.client(LEGACY, ABLE)
    replicas = stage.at_each(client)
    places = [(here, there) for here in replicas for there in replicas]
    for number, (here, there) in enumerate(places):
        call, said = ASKING[number % 2]
        headers, request = here.request("tools/call", call)
        with here.endpoint.open("POST", headers, json.dumps(request)) as response:
            asked = ((event, message) for event, message in numbered(response) if message and "method" in message)
            last, question = next(asked, ("", {}))
        check("a call asks", question.get("method") in ANSWERS, question)
        answer = ANSWERS[question["method"]]
        status, _ = client.send({"jsonrpc": "2.0", "id": question["id"], "result": answer})
        check("an answer is taken", status == 202, status)
        again = there.headers("") | {"Accept": "text/event-stream", "Last-Event-ID": last}
        again.pop("Content-Type")
        with there.endpoint.open("GET", again) as response:
            check("a stream is resumed", response.status == 200, response.status)
            done = next((message for message in events(response) if message.get("id") == request["id"]), {})
        check("a stream that is resumed has the result", said in text(done), done)
    return f"{len(places)} streams"


def in_flight(stage: Stage) -> int:
    return sum(stage.reads("mcp_server_requests_in_flight"))


def sessions_of_each_revision_are_served_anywhere(stage: Stage) -> str:
    for revision in LEGACY_REVISIONS:
        client = stage.client(LEGACY, revision=revision)
        for replica in stage.at_each(client):
            check(f"a session of {revision} is served by each replica", replica.greet() == (200, True))
    return ", ".join(LEGACY_REVISIONS)


@contextlib.contextmanager
def listening(client: Client, method: str, headers: dict[str, str], body: str | None) -> Iterator[list[dict[str, Any]]]:
    """Opens a stream, and gives what comes on it; it is read until the block ends."""
    came: list[dict[str, Any]] = []
    opened = threading.Event()
    over = threading.Event()

    def read() -> None:
        gone = contextlib.suppress(OSError, http.client.HTTPException)
        with gone, client.endpoint.open(method, headers, body, SILENCE) as response:
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


def list_changes_reach_the_stream(stage: Stage) -> str:
    """A tool is switched at each replica, and the session's stream, which is at one of them, hears of it each time."""
    changed = "notifications/tools/list_changed"
    client = stage.client(LEGACY)
    with get_stream(client) as came:
        changes = 0
        for on in [False, True]:
            for replica in stage.at_each(client):
                result(replica.ask("tools/call", {"name": "switch_bonus", "arguments": {"on": on}})[1])
                changes += 1
                until("a stream hears that a list has changed", 2, lambda: of(came, changed) >= changes)  # noqa: B023
    return f"{changes} changes"


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
    """All of the official suite, in each revision that it has."""
    command = [sys.executable, SUITE, "--url", stage.endpoint.url]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the official conformance suite does not pass through the balancer:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()[-1]


CHECKS: list[Callable[[Stage], str]] = [
    sessions_of_each_revision_are_served_anywhere,
    legacy_questions_are_answered_anywhere,
    streams_are_resumed_anywhere,
    cancellations_reach_the_call,
    calls_end_with_their_connection,
    updates_are_heard_everywhere,
    list_changes_reach_the_stream,
    tasks_are_told_everywhere,
]
