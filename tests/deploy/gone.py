"""The store is killed, asleep, full, or wants another password, each time under load of both eras."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heard import get_stream, of, subscription
from killed import restart
from load import LEGACY, MODERN, Client, Load
from shared import (
    ASKING,
    Stage,
    answer_task,
    begin_asking,
    begin_task,
    check,
    modern,
    result,
    round_of,
    see,
    text,
    together,
    until,
)

# Calls that a 99th percentile is made of.
CALLS = 1000
# What nobody waits for: an operation of the store has 250 ms. So much a busy machine may add.
FLOOR = 0.1
# What a busy machine may add to a time that is promised.
SLACK = 0.5
OPERATION = 0.25
BACK = 2
ASLEEP = 30
LISTS = "notifications/tools/list_changed"
# Whose budgets are spent, each once.
CALLERS: list[Client] = []

Refused = tuple[str, dict[str, Any]]


@dataclass
class Outage:
    """What there is before it, and what is found."""

    stage: Stage
    client: Client
    replicas: list[Client]
    # A round whose state was used, one whose state was not, and tasks: one that has ended, one that asks.
    used: dict[str, Any]
    pending: dict[str, Any]
    task: str
    asking: str
    # Somebody whose budget is untouched.
    caller: Client
    quiet: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)
    slowest: float = 0
    back: float = 0
    spent: int = 0

    def refused(self, *requests: Refused) -> None:
        """At each replica, with 503 and Retry-After, and soon."""
        for replica in self.replicas:
            for method, params in requests:
                headers, message = replica.request(method, params)
                began = time.monotonic()
                with replica.endpoint.open("POST", headers, json.dumps(message)) as response:
                    after, answer = response.getheader("Retry-After"), response.read()
                self.slowest = max(self.slowest, time.monotonic() - began)
                what = f"{method} of {params.get('name', 'a task')}"
                check(f"{what} is refused without the store", response.status == 503, (response.status, answer))
                check(f"{what} says when to come back", after is not None)
        check("what is refused is refused soon", self.slowest <= OPERATION + SLACK, self.slowest)

    def new(self) -> list[Refused]:
        """What needs to write: a state that is used, and a task that begins."""
        return [("tools/call", self.pending), ("tools/call", {"name": "research", "arguments": {"topic": "ships"}})]

    def all(self) -> list[Refused]:
        answers = {"taskId": self.asking, "inputResponses": {}}
        known = [("tasks/get", {"taskId": self.task}), ("tasks/cancel", {"taskId": self.asking})]
        return [*self.new(), *known, ("tasks/update", answers)]

    def limited(self) -> None:
        """Each replica has its part of a budget of 100, and counts what it knows."""
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            served = sum(fine for _, fine in pool.map(lambda _: self.caller.greet(), range(180)))
        most = 102 + (time.monotonic() - began) * 100 / 60
        check("a budget is counted without the store", 15 <= served <= most, (served, most))
        self.spent = served

    def shared_again(self) -> None:
        """All replicas use the store and hear each other within 2 s of its return."""
        self.back = used_again(self.stage)

    def kept(self) -> None:
        """What was acknowledged is there, what was used stays used, and what was refused was not done."""
        check("a task that had ended is there", see(self.client, self.task)["status"] == "completed")
        answers = together([lambda one=one: one.ask("tools/call", self.used)[1] for one in self.replicas])
        check("a used state stays used", all("error" in answer for answer in answers), answers)
        done = self.client.ask("tools/call", self.pending)[1]
        check("a state that was refused can be used", ASKING[0][1] in text(done), done)
        answer_task(self.client, self.asking)
        ended = lambda: see(self.client, self.asking)["status"] == "completed"  # noqa: E731
        until("a task that went on meanwhile ends", 5, ended)

    def said(self) -> str:
        times = f"p99 {p99(self.gone) / p99(self.quiet):.1f} times the quiet one, which is {p99(self.quiet) * 1000:.0f} ms"
        budget = f"{self.spent} of a budget of 100, " if self.spent else ""
        return f"{times}; refused within {self.slowest * 1000:.0f} ms, {budget}back after {self.back:.2f} s"


def used_again(stage: Stage) -> float:
    """Waits until every replica uses the store and hears the others; each has to ask to find that a connection is lost."""
    replicas = stage.at_each(modern(stage))

    def used() -> bool:
        answers = [one.ask("tasks/get", {"taskId": "0" * 32})[0] for one in replicas]
        return 503 not in answers and stage.share()

    return until("the store is used again", BACK + SLACK, used)


def p99(times: list[float]) -> float:
    check("there were calls to look at", len(times) >= CALLS, len(times))
    return sorted(times)[len(times) * 99 // 100]


def prepared(stage: Stage) -> Outage:
    call, said = ASKING[0]
    client = modern(stage)
    used = round_of(result(client.ask("tools/call", call)[1]), call)
    check("a state is used", said in text(client.ask("tools/call", used)[1]))
    pending = round_of(result(client.ask("tools/call", call)[1]), call)
    task = begin_task(client, "ships", 0)
    until("a task ends", 5, lambda: see(client, task)["status"] == "completed")
    if not CALLERS:
        CALLERS.extend(stage.client(MODERN, token=stage.new_token(f"caller{number}")) for number in range(len(CHECKS)))
        # One file has all.
        for replica in stage.at_each(CALLERS[-1]):
            until("a new token is known", 5, lambda one=replica: one.greet() == (200, True))
    caller = CALLERS.pop()
    caller.tool = {"name": "report", "arguments": {"kind": "success"}}
    return Outage(stage, client, stage.at_each(client), used, pending, task, begin_asking(client), caller)


@contextmanager
def lists_again(stage: Stage) -> Iterator[None]:
    """Clients of both eras at each replica are told to list again, once the bus is back."""
    with ExitStack() as streams:
        came = []
        for place in range(len(stage.replicas)):
            legacy, without = stage.at_each(stage.client(LEGACY))[place], stage.at_each(modern(stage))[place]
            came.append(streams.enter_context(get_stream(legacy)))
            came.append(streams.enter_context(subscription(without, {"toolsListChanged": True})))
        # What is told because of something before this comes within a second.
        time.sleep(1)
        for one in came:
            one.clear()
        yield
        until("subscribers are told to list again", 2 + SLACK, lambda: all(of(one, LISTS) for one in came))


def under_load(stage: Stage, during: Callable[[Outage], None], after: Callable[[Outage], None]) -> str:
    """Calls that need nothing of the store, all the while: before, during and after what happens to it."""
    outage = prepared(stage)
    moments: list[float] = []

    def load_on(load: Load) -> None:
        def phase() -> None:
            load.reach(load.done + CALLS)
            moments.append(time.monotonic())

        load.reach(100)
        moments.append(time.monotonic())
        # Longer than the second within which the store writes what it was told.
        time.sleep(1.5)
        phase()
        during(outage)
        phase()
        after(outage)
        moments.append(time.monotonic())
        phase()

    load = Load([stage.client(LEGACY), stage.client(MODERN)], 2)
    load.run(load_on)
    check("no call fails that needs nothing of the store", not load.failed, (len(load.failed), load.failed[:3]))
    start, gone, back, quiet, end = moments
    for began, took in load.times:
        if gone <= began < back:
            outage.gone.append(took)
        elif start <= began < gone or quiet <= began < end:
            outage.quiet.append(took)
    bounds = (p99(outage.gone), p99(outage.quiet))
    check("calls take no longer without the store", bounds[0] <= 2 * bounds[1] + FLOOR, bounds)
    return f"{load.done} calls, none failed; {outage.said()}"


def calls_go_on_while_the_store_is_killed(stage: Stage) -> str:
    """`kill -9` of a store that writes down what it is told."""

    def kill(outage: Outage) -> None:
        stage.store.kill()
        outage.refused(*outage.all())
        outage.limited()

    def start(outage: Outage) -> None:
        stage.store.start()
        outage.shared_again()
        outage.kept()

    with lists_again(stage):
        return under_load(stage, kill, start)


def calls_go_on_while_a_store_without_a_disk_is_killed(stage: Stage) -> str:
    """It comes back empty: what it knew is unknown, and all goes on from there."""
    nothing = ("--appendonly", "no")

    def again(*options: str) -> None:
        stage.store.kill()
        stage.store.start(*options)
        used_again(stage)

    def kill(outage: Outage) -> None:
        stage.store.kill()
        outage.refused(*outage.all())

    def start(outage: Outage) -> None:
        stage.store.start(*nothing)
        outage.shared_again()
        for replica in outage.replicas:
            answer = replica.ask("tasks/get", {"taskId": outage.task})[1]
            check("a task that the store has lost is unknown", answer.get("error", {}).get("code") == -32602, answer)
        done = outage.client.ask("tools/call", outage.pending)[1]
        check("a state that was refused can be used", ASKING[0][1] in text(done), done)
        answer_task(outage.client, begin_asking(outage.client))

    again(*nothing)
    said = under_load(stage, kill, start)
    again()
    return said


def calls_go_on_while_the_store_sleeps(stage: Stage) -> str:
    """It takes connections and answers nothing (`DEBUG SLEEP`)."""
    asleep: list[Future[str]] = []

    def sleep(outage: Outage) -> None:
        def looks(replica: Client) -> float:
            """Looks for a task until that is refused; gives how long one look took."""
            slowest, status = 0.0, 200
            while status != 503:
                began = time.monotonic()
                status, _ = replica.ask("tasks/get", {"taskId": outage.task})
                slowest = max(slowest, time.monotonic() - began)
            return slowest

        began = time.monotonic()
        asleep.append(pool.submit(stage.store.command, "DEBUG", "SLEEP", str(ASLEEP)))
        outage.slowest = max(pool.map(looks, outage.replicas))
        outage.refused(*outage.all())
        outage.limited()
        outage.refused(*outage.new())
        # All but what the calls take that are looked at.
        time.sleep(max(0, began + ASLEEP - 3 - time.monotonic()))

    def wake(outage: Outage) -> None:
        asleep[0].result()
        outage.shared_again()
        outage.kept()

    with ThreadPoolExecutor(8) as pool, lists_again(stage):
        return under_load(stage, sleep, wake)


def calls_go_on_while_the_store_is_full(stage: Stage) -> str:
    """It tells what it has, and takes nothing new."""

    def fill(outage: Outage) -> None:
        stage.store.command("CONFIG", "SET", "maxmemory", "1")
        outage.refused(*outage.new())
        check("a full store tells what it has", see(outage.client, outage.task)["status"] == "completed")
        outage.limited()

    def free(outage: Outage) -> None:
        stage.store.command("CONFIG", "SET", "maxmemory", "512mb")
        outage.shared_again()
        outage.kept()

    return under_load(stage, fill, free)


def calls_go_on_while_the_password_is_wrong(stage: Stage) -> str:
    """It was changed, and the replicas have lost their connections before they were told."""
    before: list[dict[Path, str]] = []

    def rotate(outage: Outage) -> None:
        before.append(stage.store.rotate())
        stage.store.cut_off()
        until("the store is missed", 5, lambda: stage.reads("mcp_server_store_up") == [0] * len(stage.replicas))
        outage.refused(*outage.all())
        outage.limited()

    def put_back(outage: Outage) -> None:
        stage.store.put_back(before[0])
        outage.shared_again()
        outage.kept()

    with lists_again(stage):
        return under_load(stage, rotate, put_back)


def a_password_is_changed_without_a_failed_call(stage: Stage) -> str:
    """As the head of deploy/store/secrets says: the store first, then the replicas one by one."""
    client = modern(stage)
    task = begin_task(client, "ships", 0)
    until("a task ends", 5, lambda: see(client, task)["status"] == "completed")

    def during(load: Load) -> None:
        load.reach(CALLS)
        stage.store.rotate()
        for replica in stage.replicas:
            restart(stage, replica)
        # None of them has the old one.
        stage.store.cut_off()
        used_again(stage)
        load.reach(load.done + CALLS)

    load = Load([stage.client(LEGACY), stage.client(MODERN)], 2)
    load.run(during)
    check("no call fails", not load.failed, (len(load.failed), load.failed[:3]))
    check("what was acknowledged is there", see(client, task)["status"] == "completed")
    return f"{load.done} calls, none failed"


CHECKS: list[Callable[[Stage], str]] = [
    calls_go_on_while_the_store_is_killed,
    calls_go_on_while_a_store_without_a_disk_is_killed,
    calls_go_on_while_the_store_sleeps,
    calls_go_on_while_the_store_is_full,
    calls_go_on_while_the_password_is_wrong,
    a_password_is_changed_without_a_failed_call,
]
