"""Three replicas that share a store, behind nginx round robin: what one begins any other goes on with, and what happens when
a replica or the store is killed."""

import http.client
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import check as proxies
import heard
from harness import FIXTURES, Failed
from load import LEGACY, MODERN, Client, Load
from replicas import folder, help_text
from shared import ABLE, ASKING, EVERYTHING, PLAIN, Stage, check, modern, result, round_of, text, together, until

THREADS = 8
STATES = 100
QUESTIONS = 200
CALLS = 5000
# What a busy machine may add to a time that is promised.
SLACK = 0.5


def states_are_used_once(stage: Stage) -> str:
    """The same round, at all replicas at once."""
    call, said = ASKING[0]
    client = modern(stage)
    replicas = stage.at_each(client)
    for _ in range(STATES):
        again = round_of(result(client.ask("tools/call", call)[1]), call)
        answers = together([lambda one=one: one.ask("tools/call", again) for one in replicas])
        served = [answer for _, answer in answers if "result" in answer]
        refused = [answer["error"]["code"] for _, answer in answers if "error" in answer]
        check("a state is used once among all replicas", len(served) == 1 and said in text(served[0]), answers)
        check("a state that is used is refused", refused == [-32602] * (len(replicas) - 1), refused)
    return f"{STATES} states at {len(replicas)} replicas at once"


def modern_questions_are_answered_anywhere(stage: Stage) -> str:
    """Elicitation and sampling of 2026-07-28: each round goes to another replica."""

    def ask(number: int) -> None:
        client = modern(stage)
        call, said = ASKING[number % 2]
        again = round_of(result(client.ask("tools/call", call)[1]), call)
        _, done = client.ask("tools/call", again)
        check("the second round has the result", said in text(done), done)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(ask, range(QUESTIONS)))
    return f"{QUESTIONS} of {QUESTIONS}"


def begin_task(client: Client, topic: str, seconds: float) -> str:
    call = {"name": "research", "arguments": {"topic": topic, "seconds": seconds}}
    begun = result(client.ask("tools/call", call)[1])
    check("a task begins", begun.get("resultType") == "task", begun)
    return begun["taskId"]


def see(client: Client, task: str) -> dict[str, Any]:
    return result(client.ask("tasks/get", {"taskId": task})[1])


def tasks_are_everywhere(stage: Stage) -> str:
    """Begun here and polled, answered and cancelled there."""
    client = modern(stage)

    def answered(_: int) -> None:
        task = begin_task(client, "mercury", 0.02)
        until("a task asks", 5, lambda: see(client, task)["status"] == "input_required")
        name = next(iter(see(client, task)["inputRequests"]))
        answer = {name: {"action": "accept", "content": {"meaning": "the metal"}}}
        result(client.ask("tasks/update", {"taskId": task, "inputResponses": answer})[1])
        until("a task that is answered ends", 5, lambda: see(client, task)["status"] == "completed")
        done = see(client, task)
        check("a task has its result everywhere", "the metal" in json.dumps(done["result"]), done)

    def cancelled(_: int) -> None:
        task = begin_task(client, "ships", 5)
        result(client.ask("tasks/cancel", {"taskId": task})[1])
        for replica in stage.at_each(client):
            check("a task that is cancelled is so everywhere", see(replica, task)["status"] == "cancelled")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(answered, range(24)))
        list(pool.map(cancelled, range(12)))
    return "24 answered, 12 cancelled"


def a_budget_is_one_for_all(stage: Stage) -> str:
    """100 a minute, whichever replica is asked."""
    client = stage.client(MODERN)
    client.tool = {"name": "report", "arguments": {"kind": "success"}}
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        served = sum(fine for _, fine in pool.map(lambda _: client.greet(), range(240)))
    back = (time.monotonic() - began) * 100 / 60
    check("a budget of 100 is one for all replicas", 98 <= served <= 102 + back, (served, back))
    return f"{served} of 240 calls"


def ended_sessions_are_ended_everywhere(stage: Stage) -> str:
    slowest = 0.0
    for _ in range(8):
        client = stage.client(LEGACY)
        replicas = stage.at_each(client)
        for replica in replicas:
            check("a session is served by each replica", replica.greet() == (200, True))
        with client.endpoint.open("DELETE", client.headers("")) as response:
            check("a session can be ended", response.status in (200, 202, 204), response.status)
        over = lambda one: until("a session is over", 1 + SLACK, lambda: one.greet()[0] == 404)  # noqa: E731
        took = together([lambda one=one: over(one) for one in replicas])
        slowest = max(slowest, *took)
    return f"8 sessions, the last replica after {slowest:.2f} s"


def revoked_tokens_are_revoked_everywhere(stage: Stage) -> str:
    client = stage.client(MODERN, token=stage.new_token("bob"))
    replicas = stage.at_each(client)
    for replica in replicas:
        until("a new token is known", 5, lambda: replica.greet() == (200, True))
    stage.run("token", "revoke", "bob", "--file", stage.tokens)
    # A file that changes is read when it has been as it is for a second.
    revoked = lambda one: until("a token is revoked", 2 + SLACK, lambda: one.greet()[0] == 401)  # noqa: E731
    took = together([lambda one=one: revoked(one) for one in replicas])
    return f"the last replica after {max(took):.2f} s"


def the_autoscaler_sees_calls_in_flight(stage: Stage) -> str:
    """The number that deploy/kubernetes/store/autoscaler.yaml goes by."""
    metric = "mcp_server_requests_in_flight "

    def in_flight() -> list[int]:
        lines = [stage.metrics(replica).splitlines() for replica in stage.replicas]
        return [int(line.removeprefix(metric)) for each in lines for line in each if line.startswith(metric)]

    until("nothing is in flight", 5, lambda: in_flight() == [0] * len(stage.replicas))
    call = {"name": "long_operation", "arguments": {"seconds": 1.5, "steps": 1}}
    client = modern(stage)
    with ThreadPoolExecutor(9) as pool:
        calls = [pool.submit(client.ask, "tools/call", call) for _ in range(9)]
        until("nine calls are in flight, three at each replica", 1, lambda: in_flight() == [3] * len(stage.replicas))
        for each in calls:
            result(each.result()[1])
    until("nothing is in flight", 5, lambda: in_flight() == [0] * len(stage.replicas))
    return "9 calls, 3 at each"


def only_what_a_killed_replica_works_on_is_lost(stage: Stage) -> str:
    """`kill -9` of a replica among calls of both eras and tasks, and then a rolling restart of all."""
    client = modern(stage)
    replicas = stage.at_each(client)
    tasks = [begin_task(replica, "ships", 0.5) for _ in range(8) for replica in replicas]
    said = proxies.only_calls_on_the_killed_replica_fail(stage, CALLS)
    # Those of the first replica ended with it, and are known still.
    statuses = [see(client, task)["status"] for task in tasks]
    others = [status for place, status in enumerate(statuses) if place % len(replicas)]
    check("tasks of other replicas end", others == ["completed"] * len(others), statuses)
    return f"{said}; {len(tasks)} tasks known, {len(others)} of {len(others)} at other replicas completed"


def p99(times: list[float]) -> float:
    check("there were calls to look at", len(times) >= 200, len(times))
    return sorted(times)[len(times) * 99 // 100]


def calls_go_on_while_the_store_is_gone(stage: Stage) -> str:
    """`kill -9` of the store under load, and its return."""
    call, said = ASKING[0]
    client = modern(stage)
    replicas = stage.at_each(client)
    used = round_of(result(client.ask("tools/call", call)[1]), call)
    check("a state is used", said in text(client.ask("tools/call", used)[1]))
    pending = round_of(result(client.ask("tools/call", call)[1]), call)
    task = begin_task(client, "ships", 0)
    until("a task ends", 5, lambda: see(client, task)["status"] == "completed")
    moments: list[float] = []
    back: list[float] = []

    def refused(replica: Client, method: str, params: dict[str, Any]) -> None:
        headers, message = replica.request(method, params)
        with replica.endpoint.open("POST", headers, json.dumps(message)) as response:
            after, answer = response.getheader("Retry-After"), response.read()
            check(f"{method} is refused while the store is gone", response.status == 503, (response.status, answer))
            check(f"{method} says when to come back", after is not None)

    def during(_: Load) -> None:
        moments.append(time.monotonic())
        # Longer than the second within which the store writes what it was told.
        time.sleep(4)
        moments.append(time.monotonic())
        stage.store.kill()
        for replica in replicas:
            refused(replica, "tools/call", pending)
            refused(replica, "tools/call", {"name": "research", "arguments": {"topic": "ships"}})
            refused(replica, "tasks/get", {"taskId": task})
        time.sleep(4)
        moments.append(time.monotonic())
        stage.store.start()
        for replica in replicas:
            known = lambda one=replica: one.ask("tasks/get", {"taskId": task})[0] == 200  # noqa: E731
            back.append(until("the store is used again", 2 + SLACK, known))

    load = Load([stage.client(LEGACY), stage.client(MODERN)], 2)
    load.run(during)
    check("no call fails that needs nothing of the store", not load.failed, load.failed[:3])
    quiet = p99([took for began, took in load.times if moments[0] <= began < moments[1]])
    gone = p99([took for began, took in load.times if moments[1] <= began < moments[2]])
    check("they take no longer than before", gone <= 2 * quiet + 0.05, (quiet, gone))
    check("what was acknowledged is there", see(client, task)["status"] == "completed")
    answers = together([lambda one=one: one.ask("tools/call", used)[1] for one in replicas])
    check("a used state stays used", all("error" in answer for answer in answers), answers)
    check("a state that was refused can be used", said in text(client.ask("tools/call", pending)[1]))
    ratio = gone / quiet
    return f"{load.done} calls, none failed; p99 {ratio:.1f} times the quiet one; used again after {sum(back):.2f} s"


CHECKS: list[Callable[[Stage], str]] = [
    states_are_used_once,
    modern_questions_are_answered_anywhere,
    tasks_are_everywhere,
    a_budget_is_one_for_all,
    ended_sessions_are_ended_everywhere,
    revoked_tokens_are_revoked_everywhere,
    the_autoscaler_sees_calls_in_flight,
    only_what_a_killed_replica_works_on_is_lost,
    calls_go_on_while_the_store_is_gone,
]


def do(stage: Stage, checks: list[Callable[[Stage], str]]) -> None:
    for each in checks:
        began = time.monotonic()
        try:
            said = each(stage)
        except (Failed, OSError, http.client.HTTPException) as failed:
            sys.exit(f"FAILED: {each.__name__}: {failed}")
        print(f"store: {each.__name__}: {said} ({time.monotonic() - began:.1f} s)", flush=True)


def main() -> None:
    deploy = Path(sys.argv[1])
    for program in [EVERYTHING, FIXTURES]:
        if not program.is_file() or "--store " not in help_text(program):
            sys.exit(
                f"no server with a store at {program}: cargo build --workspace --locked --features pymcp-app/redis "
                "--example everything --example conformance"
            )
    with folder() as path:
        stage = Stage(deploy, path, EVERYTHING, ["--tool-budget", "report=100/min"])
        try:
            # Replicas that hear each other say so.
            hear = "mcp_server_bus_up" in stage.metrics(stage.replicas[0])
            do(stage, CHECKS + (heard.CHECKS if hear else []))
        finally:
            stage.end()
    if not hear:
        print("LEFT OUT: replicas do not hear each other in this release, so legacy clients need stickiness.")
        return
    with folder() as path:
        stage = Stage(deploy, path, FIXTURES, [], auth=False)
        try:
            do(stage, [heard.conformance])
        finally:
            stage.end()


if __name__ == "__main__":
    main()
