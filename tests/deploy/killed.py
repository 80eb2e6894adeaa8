"""A replica that is killed and replicas that are restarted, in the middle of calls, tasks and streams: what is on which of
them is known, since tasks end when they are answered and streams when they are closed."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

from heard import COUNTER, get_stream, of, subscription
from load import LEGACY, MODERN, Call, Client, Load
from replicas import Replica
from shared import Stage, answer_task, begin_asking, check, modern, result, see, until

CALLS = 5000
THREADS = 8
TASKS = 8
STREAMS = 3
# A replica is gone for good after half a minute.
GONE = 45
UPDATED = "notifications/resources/updated"

Came = list[dict[str, Any]]


def told(client: Client, streams: list[Came]) -> None:
    """A resource changes, and each of these streams hears of it. Who has just subscribed elsewhere counts a moment later."""
    before = [of(came, UPDATED) for came in streams]

    def heard() -> bool:
        result(client.ask("tools/call", {"name": "count", "arguments": {}})[1])
        return all(of(came, UPDATED) > known for came, known in zip(streams, before, strict=True))

    until("each stream hears of a change", 5, heard)


def subscribed(stage: Stage, at: int | None, streams: contextlib.ExitStack) -> Came:
    """A stream of a session, at one replica or wherever the proxy has it, whose client is subscribed to the counter."""
    client = stage.client(LEGACY)
    there = client if at is None else stage.at_each(client)[at]
    came = streams.enter_context(get_stream(there))
    result(there.ask("resources/subscribe", {"uri": COUNTER})[1])
    return came


def listens(stage: Stage, at: int | None, streams: contextlib.ExitStack) -> Came:
    """The same for a client without a session."""
    client = modern(stage)
    there = client if at is None else stage.at_each(client)[at]
    return streams.enter_context(subscription(there, {"resourceSubscriptions": [COUNTER]}))


def opened(stage: Stage, at: int | None, streams: contextlib.ExitStack) -> list[Came]:
    return [open_one(stage, at, streams) for open_one in [subscribed, listens] for _ in range(STREAMS)]


def failed_elsewhere(load: Load, before: float, after: float) -> list[Call]:
    """The calls that failed and were not in flight when a replica was killed."""
    return [call for call in load.failed if call.began > after or call.ended < before]


def only_what_a_killed_replica_works_on_is_lost(stage: Stage) -> str:
    """`kill -9` of a replica in the middle of calls of both eras, of tasks and of streams."""
    client = modern(stage)
    replicas = stage.at_each(client)
    tasks = [[begin_asking(replica) for _ in range(TASKS)] for replica in replicas]
    killed: list[tuple[float, float]] = []

    with contextlib.ExitStack() as open_streams:
        streams = [opened(stage, at, open_streams) for at in range(len(replicas))]
        told(client, [came for each in streams for came in each])

        def during(load: Load) -> None:
            load.reach(CALLS // 2)
            first = stage.replicas[0]
            killed.append(first.kill())
            # Those of others go on as before, and those of the first go on elsewhere.
            for task in [task for others in tasks[1:] for task in others]:
                answer_task(client, task)
                until("a task of another replica ends", 5, lambda: see(client, task)["status"] == "completed")
            told(client, opened(stage, None, open_streams) + [came for each in streams[1:] for came in each])
            for task in tasks[0]:
                status = see(client, task)["status"]
                check("a task whose replica was killed is known", status in ["working", "input_required"], status)
            load.reach(max(CALLS, load.done + CALLS // 4))
            first.start()
            stage.proxy.wait_for(first)

        load = Load([stage.client(LEGACY), stage.client(MODERN)], THREADS)
        load.run(during)
    lost = failed_elsewhere(load, *killed[0])
    check("no call fails but those in flight at the killed replica", not lost, (len(lost), load.done, lost[:3]))
    # A replica that dies may take a connection still, so a thread may lose the call after the first one, too.
    check("no more calls fail than there were in flight", len(load.failed) <= 4 * THREADS, len(load.failed))

    def ended() -> bool:
        return all(see(client, task)["status"] == "failed" for task in tasks[0])

    until("the tasks of a killed replica have failed", GONE, ended)
    kept = TASKS * (len(replicas) - 1)
    others = f"{kept} of {kept} tasks and all streams at other replicas go on"
    return f"{load.done} calls, {len(load.failed)} failed; {others}; {TASKS} tasks of the killed one have failed"


def restart(stage: Stage, replica: Replica, during: Callable[[], None] = lambda: None) -> None:
    """As an operator does it, with something that happens while the replica ends."""
    replica.leave()
    until("a replica that ends takes no connections", 10, lambda: not replica.listens())
    during()
    replica.wait()
    replica.start()
    stage.proxy.wait_for(replica)


def a_rolling_restart_loses_nothing(stage: Stage) -> str:
    """Calls of both eras go on, and a replica waits for its tasks, which are answered at others while it ends."""
    client = modern(stage)
    replicas = stage.at_each(client)

    def during(load: Load) -> None:
        for replica, there in zip(stage.replicas, replicas, strict=True):
            load.reach(load.done + CALLS // 10)
            tasks = [begin_asking(there) for _ in range(TASKS)]

            def answer(tasks: list[str] = tasks) -> None:
                for task in tasks:
                    answer_task(client, task)

            restart(stage, replica, answer)
            ended = [see(client, task) for task in tasks]
            check("tasks end before their replica", [task["status"] for task in ended] == ["completed"] * TASKS, ended)
            check("tasks have their results", all("the metal" in json.dumps(task["result"]) for task in ended), ended)
        load.reach(load.done + CALLS // 10)

    load = Load([stage.client(LEGACY), stage.client(MODERN)], THREADS)
    load.run(during)
    check("no call fails", not load.failed, (len(load.failed), load.failed[:3]))
    return f"{load.done} calls, none failed; {TASKS * len(replicas)} tasks answered while their replica ends, all completed"


CHECKS: list[Callable[[Stage], str]] = [
    only_what_a_killed_replica_works_on_is_lost,
    a_rolling_restart_loses_nothing,
]
