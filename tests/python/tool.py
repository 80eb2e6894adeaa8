"""Calls run_python_code of the real binary over stdio, and gives what it answers."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from harness import ENVIRONMENT, SERVER, STOP_SECONDS, Failed

PROTOCOL = "2025-11-25"


@dataclass
class Answer:
    """The result of one call: whether it failed, and the texts of its content blocks."""

    failed: bool
    texts: list[str]

    @property
    def text(self) -> str:
        return self.texts[0] if self.texts else ""


class Tool:
    """One server, asked one thing at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._last = 0
        about = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "judge", "version": "1"}}
        self._ask("initialize", about)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def run(self, code: str, **arguments: object) -> Answer:
        result = self._ask("tools/call", {"name": "run_python_code", "arguments": {"code": code, **arguments}})
        return Answer(bool(result.get("isError")), [block["text"] for block in result["content"]])

    def _ask(self, method: str, params: dict[str, object]) -> dict:
        self._last += 1
        self._send({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._last:
                if "error" in message:
                    raise Failed(f"{method} was refused: {message['error']}")
                return message["result"]
        raise Failed(f"the server ended instead of answering {method}")

    def _send(self, message: dict[str, object]) -> None:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def tool(*options: str) -> Iterator[Tool]:
    """A server with these options, which must end well when its input does."""
    # Another working directory than the project's: the server must need nothing from there.
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [SERVER, "serve", "--transport", "stdio", "--log-level", "CRITICAL", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=directory,
            env=ENVIRONMENT,
        )
        try:
            yield Tool(process)
            process.stdin.close()
            code = process.wait(STOP_SECONDS)
            if code != 0:
                raise Failed(f"the server ended with exit code {code}, not 0")
        finally:
            process.kill()
            process.wait()
