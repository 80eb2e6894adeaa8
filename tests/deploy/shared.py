"""A real store, and three replicas that share it behind nginx round robin, with the files of deploy/."""

import dataclasses
import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import ENVIRONMENT, START_SECONDS, TARGET, Failed
from load import LEGACY, MODERN, Client, Endpoint
from replicas import Nginx, Replica, free_port

REPLICAS = 3
# The program that has what the protocol has, with the feature `redis`.
EVERYTHING = Path(os.environ.get("PYMCP_EVERYTHING", TARGET / "debug" / "examples" / "everything")).resolve()
# Works at once, is cached nowhere, and needs nothing of the store.
PLAIN = {"name": "log_everything", "arguments": {}}
TASKS = "io.modelcontextprotocol/tasks"
ABLE: dict[str, Any] = {"elicitation": {}, "sampling": {}, "extensions": {TASKS: {}}}


class Store:
    """A `redis-server` with the configuration and the user of deploy/store, and one who may do everything."""

    def __init__(self, deploy: Path, folder: Path, prefix: str) -> None:
        self.port = free_port()
        self.folder, self.secrets, data = folder, folder / "secrets", folder / "data"
        data.mkdir()
        # Where the replicas read the password.
        self.settings = folder / "store.env"
        self.new_password = [deploy / "store" / "secrets", self.secrets, folder, f"127.0.0.1:{self.port}", prefix]
        self.admin = secrets.token_hex(16)
        self._write_users()
        text = (deploy / "store" / "store.conf").read_text()
        for line, here in {
            "bind * -::*": "bind 127.0.0.1",
            "port 6379": f"port {self.port}",
            "aclfile /secrets/users.acl": f"aclfile {self.users}",
            "dir /data": f"dir {data}",
        }.items():
            if f"{line}\n" not in text:
                raise Failed(f"store.conf has no line `{line}`")
            text = text.replace(f"{line}\n", f"{here}\n")
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"v=(\d+)", said)
        if version and int(version[1]) >= 7:
            # For DEBUG SLEEP.
            text += "enable-debug-command local\n"
        self.config = folder / "store.conf"
        self.config.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def users(self) -> Path:
        return self.secrets / "users.acl"

    def _write_users(self) -> None:
        subprocess.run(self.new_password, check=True, env=ENVIRONMENT)
        digest = hashlib.sha256(self.admin.encode()).hexdigest()
        with self.users.open("a") as users:
            users.write(f"user admin on #{digest} ~* &* +@all\n")

    def start(self, *options: str) -> None:
        self.process = subprocess.Popen(
            ["redis-server", self.config, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENVIRONMENT
        )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if self.says().startswith(b"-NOAUTH"):
                return
            time.sleep(0.01)
        raise Failed("redis-server does not start with the configuration of deploy/store")

    def says(self) -> bytes:
        """What it says to somebody without a password."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as stream:
                stream.sendall(b"PING\r\n")
                return stream.recv(100)
        except OSError:
            return b""

    def command(self, *words: str, seconds: float = 60) -> str:
        """The first line of its answer to whoever may do everything."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as stream:
            lines = stream.makefile("rb")
            for each in [("AUTH", "admin", self.admin), words]:
                parts = [f"*{len(each)}", *(part for word in each for part in (f"${len(word)}", word)), ""]
                stream.sendall("\r\n".join(parts).encode())
                said = lines.readline().decode().strip()
                check(f"the store does {each[0]}", said != "" and not said.startswith("-"), said)
            return said

    def rotate(self) -> dict[Path, str]:
        """Another password, as the head of `secrets` says; gives what there was before, for `put_back`."""
        before = {path: path.read_text() for path in [self.users, self.settings]}
        self._write_users()
        self.command("ACL", "LOAD")
        return before

    def put_back(self, before: dict[Path, str]) -> None:
        for path, text in before.items():
            path.write_text(text)
        self.command("ACL", "LOAD")

    def cut_off(self) -> None:
        """Ends the replicas' connections, as a network does now and then."""
        self.command("CLIENT", "KILL", "USER", "app")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class RoundRobin(Nginx):
    name = "nginx round robin"
    upstream = "round-robin.conf"
    # What is checked here is not TLS, which costs the clients most of their time.
    tls = False


class Stage:
    """The store, the replicas and nginx; a client's requests go to any replica."""

    def __init__(self, deploy: Path, path: Path, program: Path, options: list[str], auth: bool = True) -> None:
        path.chmod(0o755)
        servers, place, data = path / "servers", path / "proxy", path / "store"
        for each in [servers, place, data]:
            each.mkdir()
        self.program = program
        self.keys = servers / "keys.txt"
        # Each replica has a file of its own, as on machines of their own.
        self.tokens = [servers / f"tokens-{number}.toml" for number in range(REPLICAS)]
        self.run("keys", "new", self.keys)
        self.store = Store(deploy, data, program.name)
        self.token = self.new_token("ada") if auth else None
        metrics = ["--metrics-address", "127.0.0.1:0"]
        # One client opens all sessions.
        limits = ["--session-rate", "off"]
        shared = ["--env-file", str(self.store.settings), "--trusted-proxies", "loopback"]
        options = [*metrics, *limits, *shared, *options]
        known = [["--auth", "token", "--auth-tokens", str(file)] if auth else [] for file in self.tokens]
        self.replicas = [Replica(self.keys, [*each, *options], program) for each in known]
        self.proxy = RoundRobin(deploy, place, self.replicas)
        self.endpoint = Endpoint(self.proxy.begin(sticky=True))

    def run(self, *words: str | Path) -> str:
        command = [self.program, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
        return done.stdout.strip()

    def new_token(self, name: str) -> str:
        """One that is in the files of all replicas."""
        first, *others = self.tokens
        token = self.run("token", "new", name, "--file", first)
        for file in others:
            aside = file.with_suffix(".new")
            shutil.copy(first, aside)
            aside.replace(file)
        return token

    def revoke(self, name: str) -> None:
        """In the file of the first replica alone: the others hear of it."""
        self.run("token", "revoke", name, "--file", self.tokens[0])

    def client(
        self, era: str, capabilities: dict[str, Any] | None = None, token: str | None = None, revision: str = LEGACY
    ) -> Client:
        about = {"token": token or self.token, "tool": PLAIN, "revision": revision}
        client = Client(self.endpoint, era, capabilities=capabilities or {}, **about)
        if era == LEGACY:
            client.initialize()
        return client

    def at_each(self, client: Client) -> list[Client]:
        """The same client, asking each of the replicas."""
        ports = [replica.port for replica in self.replicas]
        return [dataclasses.replace(client, endpoint=Endpoint(f"http://127.0.0.1:{port}/mcp")) for port in ports]

    def metrics(self, replica: Replica) -> str:
        with Endpoint(f"http://127.0.0.1:{replica.metrics}/metrics").open("GET", {}) as response:
            return response.read().decode()

    def reads(self, name: str) -> list[int]:
        """A metric without labels, of each replica that has it."""
        lines = [line for replica in self.replicas for line in self.metrics(replica).splitlines()]
        return [int(line.removeprefix(f"{name} ")) for line in lines if line.startswith(f"{name} ")]

    def share(self) -> bool:
        """Whether all replicas have the store and hear each other."""
        metrics = ["mcp_server_store_up", "mcp_server_bus_up"]
        return all(self.reads(metric) == [1] * len(self.replicas) for metric in metrics)

    def end(self) -> None:
        self.proxy.stop()
        for replica in self.replicas:
            replica.process.kill()
            replica.process.wait()
        self.store.kill()


def check(what: str, held: bool, got: Any = None) -> None:
    if not held:
        raise Failed(f"{what}\n    got: {got!r}")


def until(what: str, seconds: float, held: Callable[[], bool]) -> float:
    """Waits for it; gives how long it took."""
    began = time.monotonic()
    while True:
        asked = time.monotonic() - began
        if held():
            return asked
        check(f"{what} within {seconds} s", asked < seconds)
        time.sleep(0.02)


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Makes all calls at the same time, each on a thread of its own; the first that fails fails here."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        barrier.wait()
        try:
            results[place] = calls[place]()
        except Exception as error:  # noqa: BLE001: it is raised below
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


# What a client says when it is asked.
ANSWERS: dict[str, dict[str, Any]] = {
    "elicitation/create": {
        "action": "accept",
        "content": {"destination": "Rome", "nights": 3, "class": "first"},
    },
    "sampling/createMessage": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "ahoy"}},
}
# The tools that ask so, and what their results must have.
ASKING: list[tuple[dict[str, Any], str]] = [
    ({"name": "plan_trip", "arguments": {}}, "3 nights in Rome"),
    ({"name": "ask_model", "arguments": {"prompt": "What do sailors say?"}}, "ahoy"),
]


def result(answer: dict[str, Any]) -> dict[str, Any]:
    check("a call has a result", "result" in answer, answer)
    return answer["result"]


def text(answer: dict[str, Any]) -> str:
    return json_text(result(answer).get("content", []))


def json_text(content: list[dict[str, Any]]) -> str:
    return " ".join(part.get("text", "") for part in content)


def begin_task(client: Client, topic: str, seconds: float) -> str:
    call = {"name": "research", "arguments": {"topic": topic, "seconds": seconds}}
    begun = result(client.ask("tools/call", call)[1])
    check("a task begins", begun.get("resultType") == "task", begun)
    return begun["taskId"]


def see(client: Client, task: str) -> dict[str, Any]:
    return result(client.ask("tasks/get", {"taskId": task})[1])


def begin_asking(client: Client) -> str:
    """A task that goes on until its question is answered."""
    task = begin_task(client, "mercury", 0)
    until("a task asks", 5, lambda: see(client, task)["status"] == "input_required")
    return task


def answer_task(client: Client, task: str) -> None:
    name = next(iter(see(client, task)["inputRequests"]))
    answer = {name: {"action": "accept", "content": {"meaning": "the metal"}}}
    result(client.ask("tasks/update", {"taskId": task, "inputResponses": answer})[1])


def round_of(asked: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """The same call again, with the answers to what was asked."""
    check("a call asks", asked.get("resultType") == "input_required", asked)
    answers = {name: ANSWERS[request["method"]] for name, request in asked["inputRequests"].items()}
    return call | {"requestState": asked["requestState"], "inputResponses": answers}


def modern(stage: Stage) -> Client:
    return stage.client(MODERN, ABLE)
