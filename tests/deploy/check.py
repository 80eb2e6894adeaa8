"""Two real servers behind nginx and behind Caddy, with the configurations of deploy/: sessions that every replica serves, a
replica that is killed, a rolling restart, replicas with different keys, and event streams that no proxy holds up."""

import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import ENVIRONMENT, SERVER, Failed, require_server
from load import LEGACY, MODERN, Call, Client, Endpoint, Load, events
from replicas import DRAIN_DELAY, Caddy, Nginx, Proxy, Replica, folder, help_text

CALLS = 2000
THREADS = 4
# A question waits for its answer: what comes later than this was held up.
PROMPT_SECONDS = 5


class Stage:
    """Two replicas with the same keys, and a proxy before them."""

    def __init__(self, kind: type[Proxy], deploy: Path, path: Path) -> None:
        path.chmod(0o755)
        servers, place = path / "servers", path / "proxy"
        servers.mkdir()
        place.mkdir()
        self.keys, self.others = servers / "keys.txt", servers / "others.txt"
        for file in [self.keys, self.others]:
            subprocess.run([SERVER, "keys", "new", file], check=True, capture_output=True, env=ENVIRONMENT)
        drain = ["--drain-delay", str(DRAIN_DELAY)] if kind is Caddy else []
        options = [*drain, "--trusted-proxies", "loopback"]
        self.replicas = [Replica(self.keys, options), Replica(self.keys, options)]
        self.proxy = kind(deploy, place, self.replicas)
        self.endpoint = Endpoint("")

    def begin(self, sticky: bool) -> None:
        self.proxy.stop()
        url = self.proxy.begin(sticky)
        trusted = None
        if url.startswith("https"):
            trusted = ssl.create_default_context(cafile=str(self.proxy.folder / "tls" / "cert.pem"))
        self.endpoint = Endpoint(url, trusted)

    def client(self, era: str, capabilities: dict[str, Any] | None = None) -> Client:
        client = Client(self.endpoint, era)
        if era == LEGACY:
            client.initialize(capabilities)
        return client

    def end(self) -> None:
        self.proxy.stop()
        for replica in self.replicas:
            replica.process.kill()
            replica.process.wait()


def check(what: str, held: bool, got: Any = None) -> None:
    if not held:
        raise Failed(f"{what}\n    got: {got!r}")


def restart(stage: Stage, replica: Replica, keys: Path) -> None:
    """As an operator does it: the next one only when the proxy has this one again."""
    replica.stop()
    replica.start(keys)
    stage.proxy.wait_for(replica)


def sessions_are_served_by_every_replica(stage: Stage) -> str:
    """Calls go to any replica; the session was opened at one of them."""
    for replica in stage.replicas:
        replica.endpoint = Endpoint(f"http://127.0.0.1:{replica.port}/mcp")
    opened = Client(stage.replicas[0].endpoint, LEGACY)
    opened.initialize()
    for replica in stage.replicas:
        there = Client(replica.endpoint, LEGACY, session=opened.session)
        check("a session is served by each replica with the same keys", there.greet() == (200, True), there.greet())
    session = stage.client(LEGACY)
    for number in range(20):
        got = session.greet()
        check(f"call {number} of a session, at any replica, has a result", got == (200, True), got)
    return "20 calls of a session"


def only_calls_on_the_killed_replica_fail(stage: Stage, calls: int = CALLS) -> str:
    """`kill -9` of one replica and a rolling restart of all while clients of both eras call."""
    killed: list[tuple[float, float]] = []
    progress: list[int] = []

    def during(load: Load) -> None:
        load.reach(calls // 4)
        first, *others = stage.replicas
        killed.append(first.kill())
        progress.append(load.done)
        load.reach(load.done + calls // 4)
        first.start()
        stage.proxy.wait_for(first)
        for replica in [*others, first]:
            load.reach(load.done + calls // 8)
            restart(stage, replica, stage.keys)
            progress.append(load.done)
        load.reach(max(calls, load.done + calls // 8))

    load = Load([stage.client(LEGACY), stage.client(MODERN)], THREADS)
    load.run(during)
    before, after = killed[0]

    def in_flight(call: Call) -> bool:
        return call.began <= after + stage.proxy.blind_seconds() and call.ended >= before

    lost = [call for call in load.failed if not in_flight(call)]
    times = [(call.era, call.why, round(call.began - after, 3)) for call in lost[:5]]
    check("no call fails but those in flight on the killed replica", not lost, (len(lost), load.done, progress, times))
    threads = 2 * THREADS
    if not stage.proxy.blind_seconds():
        check("no more calls fail than there were in flight", len(load.failed) <= threads, len(load.failed))
    if not load.failed:
        return f"{load.done} calls, none failed"
    last = max(call.began - after for call in load.failed)
    return f"{load.done} calls, {len(load.failed)} failed, the last of them sent {last:.3f} s after the kill"


def other_keys_cost_a_new_session_and_no_more(stage: Stage) -> str:
    """One replica has other keys: its sessions are 404 at the other one, and requests without a session do not notice."""
    second = stage.replicas[1]
    restart(stage, second, stage.others)
    legacy, modern = Client(stage.endpoint, LEGACY), stage.client(MODERN)
    legacy.initialize(known_everywhere=False)
    seen: dict[int, int] = {}
    for _ in range(30):
        # Two and one: an even number of requests would always meet the same replica first.
        for _ in range(2):
            got = status, _ = legacy.greet()
            seen[status] = seen.get(status, 0) + 1
            check("a call is served, or its session is unknown", got in [(200, True), (404, False)], got)
            if status == 404:
                legacy.initialize(known_everywhere=False)
        got = modern.greet()
        check("a call without a session is served", got == (200, True), got)
    check("both replicas were asked", len(seen) == 2, seen)
    restart(stage, second, stage.keys)
    return f"{seen[404]} of 60 calls of a session got 404"


def questions_reach_the_client_while_it_waits(stage: Stage) -> str:
    """A call asks its user: the question is an event of the answer, and the answer goes to the replica that asked."""
    count = 8
    for _ in range(count):
        client = stage.client(LEGACY, {"elicitation": {}})
        headers, call = client.request("tools/call", {"name": "vonmises_random", "arguments": {"mu": 1}})
        began = time.monotonic()
        asked = False
        with stage.endpoint.open("POST", headers, json.dumps(call)) as response:
            for message in events(response):
                if message.get("method") == "elicitation/create":
                    took = time.monotonic() - began
                    check("a question is passed on when it is asked", took < PROMPT_SECONDS, took)
                    field, about = next(iter(message["params"]["requestedSchema"]["properties"].items()))
                    check("the question is for a number", about["type"] == "number", message)
                    answer = {"action": "accept", "content": {field: 1.5}}
                    status, _ = client.send({"jsonrpc": "2.0", "id": message["id"], "result": answer})
                    check("the answer is taken", status == 202, status)
                    asked = True
                elif message.get("id") == call["id"]:
                    fine = not message.get("result", {"isError": True}).get("isError", False)
                    check("the answer reaches the call", asked and fine, message)
                    break
            else:
                raise Failed("the call had no result")
    return f"{count} questions"


def streams_are_not_held_up(stage: Stage) -> str:
    """A stream begins at once, though it goes on: those of sessions, and subscriptions of requests without one."""
    client = stage.client(LEGACY)
    began = time.monotonic()
    headers = client.headers("") | {"Accept": "text/event-stream"}
    headers.pop("Content-Type")
    with stage.endpoint.open("GET", headers) as response:
        check("a stream of a session opens", response.status == 200, response.status)
    client = stage.client(MODERN)
    headers, listen = client.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    with stage.endpoint.open("POST", headers, json.dumps(listen)) as response:
        first = next(events(response), None)
    took = time.monotonic() - began
    acknowledged = first is not None and first.get("method") == "notifications/subscriptions/acknowledged"
    check("a subscription is acknowledged at once", acknowledged and took < PROMPT_SECONDS, (first, took))
    return f"{took * 1000:.0f} ms"


def readiness_is_not_for_everybody(stage: Stage) -> str:
    """The proxy says that the service serves, which the page links to, and nothing of its replicas; they do."""
    base = stage.endpoint.url.removesuffix("/mcp")
    for path, status in [("/healthz", 200), ("/readyz", 404)]:
        with Endpoint(base + path, stage.endpoint.trusted).open("GET", {}) as response:
            check(f"{path} is {status} for clients", response.status == status, response.status)
        with Endpoint(f"http://127.0.0.1:{stage.replicas[0].port}{path}").open("GET", {}) as response:
            check(f"{path} of a replica says that it serves", response.status == 200, response.status)
    return "200, 404"


def large_bodies_are_refused(stage: Stage) -> str:
    """Nobody reads what is beyond the limits of proxy and server. (Caddy counts while it sends, and then says 413 or 502.)"""
    try:
        with stage.endpoint.open("POST", stage.client(MODERN).headers("tools/list"), " " * (3 << 20)) as response:
            status = response.status
    except (http.client.HTTPException, OSError):
        # Refused, and the connection closed, before all of it was sent.
        return "closed"
    check("3 MiB are refused", status in (413, 502), status)
    return str(status)


# What is checked with the configuration as it is, and what where no session is kept at its replica: round robin, or random.
AS_IT_IS: list[Callable[[Stage], str]] = [
    questions_reach_the_client_while_it_waits,
    streams_are_not_held_up,
    readiness_is_not_for_everybody,
    large_bodies_are_refused,
    only_calls_on_the_killed_replica_fail,
]
ANYWHERE: list[Callable[[Stage], str]] = [
    sessions_are_served_by_every_replica,
    only_calls_on_the_killed_replica_fail,
    other_keys_cost_a_new_session_and_no_more,
]


def main() -> None:
    deploy = Path(sys.argv[1])
    if sys.argv[2:] == ["static"]:
        return
    require_server()
    settings = help_text()
    for setting in ["--state-keys", "--trusted-proxies", "--drain-delay"]:
        if setting not in settings:
            sys.exit(f"FAILED: {SERVER} has no {setting}")
    for kind in [Nginx, Caddy]:
        with folder() as path:
            stage = Stage(kind, deploy, path)
            try:
                for sticky, checks in [(True, AS_IT_IS), (False, ANYWHERE)]:
                    stage.begin(sticky)
                    for each in checks:
                        began = time.monotonic()
                        try:
                            said = each(stage)
                        except (Failed, OSError, http.client.HTTPException) as failed:
                            log = (stage.proxy.folder / "log").read_text().splitlines()
                            # Requests that were served say nothing about why another one was not.
                            told = [line for line in log if '" 200 ' not in line and '"status":200' not in line]
                            sys.exit("\n".join([f"FAILED: {kind.name}: {each.__name__}: {failed}", *told[-20:]]))
                        print(f"{kind.name}: {each.__name__}: {said} ({time.monotonic() - began:.1f} s)", flush=True)
            finally:
                stage.end()
    print("Everything in deploy/ that can run here passed.")


if __name__ == "__main__":
    main()
