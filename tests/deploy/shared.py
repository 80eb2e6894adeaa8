"""A real store, and three replicas that share it behind nginx round robin, with the files of deploy/."""

import dataclasses
import os
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
    """A `redis-server` with the configuration and the user of deploy/store."""

    def __init__(self, deploy: Path, folder: Path, prefix: str) -> None:
        self.port = free_port()
        secrets, data = folder / "secrets", folder / "data"
        data.mkdir()
        command = [deploy / "store" / "secrets", secrets, folder, f"127.0.0.1:{self.port}", prefix]
        subprocess.run(command, check=True, env=ENVIRONMENT)
        self.settings = folder / "store.env"
        text = (deploy / "store" / "store.conf").read_text()
        for line, here in {
            "bind * -::*": "bind 127.0.0.1",
            "port 6379": f"port {self.port}",
            "aclfile /secrets/users.acl": f"aclfile {secrets / 'users.acl'}",
            "dir /data": f"dir {data}",
        }.items():
            if f"{line}\n" not in text:
                raise Failed(f"store.conf has no line `{line}`")
            text = text.replace(f"{line}\n", f"{here}\n")
        self.config = folder / "store.conf"
        self.config.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", self.config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENVIRONMENT
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
        self.keys, self.tokens = servers / "keys.txt", servers / "tokens.toml"
        self.run("keys", "new", self.keys)
        self.store = Store(deploy, data, program.name)
        known = ["--auth", "token", "--auth-tokens", str(self.tokens)] if auth else []
        self.token = self.new_token("ada") if auth else None
        metrics = ["--metrics-address", "127.0.0.1:0"]
        # One client opens all sessions.
        limits = ["--session-rate", "off"]
        shared = ["--env-file", str(self.store.settings), "--trusted-proxies", "loopback"]
        options = [*known, *metrics, *limits, *shared, *options]
        self.replicas = [Replica(self.keys, options, program) for _ in range(REPLICAS)]
        self.proxy = RoundRobin(deploy, place, self.replicas)
        self.endpoint = Endpoint(self.proxy.begin(sticky=True))

    def run(self, *words: str | Path) -> str:
        command = [self.program, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
        return done.stdout.strip()

    def new_token(self, name: str) -> str:
        return self.run("token", "new", name, "--file", self.tokens)

    def client(self, era: str, capabilities: dict[str, Any] | None = None, token: str | None = None) -> Client:
        token = token or self.token
        client = Client(self.endpoint, era, capabilities=capabilities or {}, token=token, tool=PLAIN)
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


def round_of(asked: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """The same call again, with the answers to what was asked."""
    check("a call asks", asked.get("resultType") == "input_required", asked)
    answers = {name: ANSWERS[request["method"]] for name, request in asked["inputRequests"].items()}
    return call | {"requestState": asked["requestState"], "inputResponses": answers}


def modern(stage: Stage) -> Client:
    return stage.client(MODERN, ABLE)
