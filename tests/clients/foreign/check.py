"""Types commands at the server's own client, and compares what it prints with the transcripts.

A transcript has what is typed, each followed by what comes: stdout as it is, lines of stderr behind `2> `, and an exit
code that is not 0 behind `=> `. Each must be the same over stdio and HTTP, but for what `masked` takes out.
"""

import contextlib
import difflib
import os
import pty
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import SERVER, TARGET, Failed, node_environment, npm_tools, require_server

HERE = Path(__file__).resolve().parent
COMMAND_SECONDS = 120
START_SECONDS = 60

# What servers print on stderr by themselves.
NOISE = re.compile(r"^2> (Starting default \(STDIO\) server\.\.\.|Error calling tool .*)$\n", re.M)

# What is in an answer of the everything server that says when it was made: `…resource fabricated at 3:04:05 PM`, whose
# length is that of the hour, and of the language of the machine.
MADE = re.compile(r"(?<=\[text/plain, )\d+(?= bytes; )")

# Where what is printed depends on the moment, the machine or its settings, by what is typed before it. Everything else
# is compared as it is.
VARIES = {"call get-resource-reference ": MADE}


def masked(transcript: str) -> str:
    """Takes out of a transcript what is never the same twice; of both sides of a comparison."""
    parts = re.split(r"(?m)^(?=\$ pymcp )", transcript)
    for at, part in enumerate(parts):
        for typed, varying in VARIES.items():
            if part.startswith(f"$ pymcp {typed}"):
                parts[at] = varying.sub("…", part)
    return "".join(parts)


def replay(
    transcript: str, before: list[str], behind: list[str], named: str, environment: dict[str, str]
) -> str:
    """Runs the commands of a transcript with what says which server, and gives what should have been written there.

    `named` is how sentences name that server.
    """
    written = []
    for line in transcript.splitlines():
        if not line.startswith("$ pymcp "):
            continue
        verb, *arguments = shlex.split(line.removeprefix("$ pymcp "))
        done = subprocess.run(
            [SERVER, verb, *before, *arguments, *behind],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=environment,
            check=False,
        )
        errors = "".join(f"2> {error}\n" for error in done.stderr.splitlines())
        # Any program with these verbs will do.
        errors = errors.replace(named, "the server").replace(f"2> {SERVER.stem}: ", "2> pymcp: ")
        code = f"=> {done.returncode}\n" if done.returncode else ""
        written.append(f"{line}\n{done.stdout}{NOISE.sub('', errors)}{code}\n")
    return masked("".join(written))


@contextlib.contextmanager
def listening(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """Runs a server until the end of the block."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise Failed(f"{command} does not listen")
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def on_terminal(arguments: list[str], answers: list[tuple[str, str]], environment: dict[str, str]) -> str:
    """Runs a command on a terminal, types each answer when its question is there, and gives all that was seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(SERVER, [str(SERVER), *arguments], environment)
    seen = ""
    with contextlib.suppress(OSError):  # the end, on Linux
        while part := os.read(terminal, 4096):
            seen += part.decode()
            if answers and answers[0][0] in seen:
                os.write(terminal, answers.pop(0)[1].encode())
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return f"{seen}=> {os.waitstatus_to_exitcode(status)}".replace("\r\n", "\n")


def ask_on_terminal(snake: list[str], environment: dict[str, str]) -> int:
    """Answers a form by hand: badly, then well, then not at all."""
    call = ["call", "measure", "--era", "legacy", "--", *snake]
    well = on_terminal(call, [("metres: integer: ", "long\n"), ("whole number, not 'long'", "4\n")], environment)
    if "The server asks: How long is the snake?" not in well or "4 m\n" not in well or not well.endswith("=> 0"):
        raise Failed(f"[terminal] a form should be asked for until it is right, but:\n{well}")
    never = on_terminal(call, [("metres: integer: ", "\x04")], environment)
    if "decline\n" not in never:
        raise Failed(f"[terminal] Ctrl-D should decline, but:\n{never}")
    return 2


def difference(expected: str, written: str) -> str:
    return "\n".join(difflib.unified_diff(expected.splitlines(), written.splitlines(), "expected", "written", n=2))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def check(
    name: str, stdio: list[str], http: Callable[[int], tuple[list[str], dict[str, str]]], environment: dict[str, str]
) -> int:
    """Compares the transcript of one server over both transports, and gives how many commands it has."""
    path = HERE / "transcripts" / f"{name}.txt"
    expected = masked(path.read_text())
    written = replay(expected, [], ["--", *stdio], " ".join(stdio), environment)
    if "UPDATE_TRANSCRIPTS" in os.environ:
        path.write_text(written)
        expected = written
    elif written != expected:
        raise Failed(f"[{name}, stdio] is not as it was:\n{difference(expected, written)}")
    port = free_port()
    command, more = http(port)
    with listening(command, port, environment | more):
        url = f"http://127.0.0.1:{port}/mcp"
        written = replay(expected, ["--url", url], [], url, environment)
    if written != expected:
        raise Failed(f"[{name}, http] is not as it was:\n{difference(expected, written)}")
    return 2 * expected.count("\n$ ") + 2


def main() -> None:
    require_server()
    commands = npm_tools(HERE / "package.json")
    environment = node_environment(commands, TARGET / "clients" / "foreign-home")
    environment |= {"FASTMCP_LOG_ENABLED": "false", "PYTHONWARNINGS": "ignore"}
    snake = [sys.executable, str(HERE / "server.py")]
    everything = str(commands / "mcp-server-everything")
    passed = 0
    try:
        passed += ask_on_terminal(snake, environment)
        passed += check("python", snake, lambda port: ([*snake, str(port)], {}), environment)
        passed += check(
            "everything",
            [everything, "stdio"],
            lambda port: ([everything, "streamableHttp"], {"PORT": str(port)}),
            environment,
        )
    except Failed as failure:
        print(f"FAILED {failure}", file=sys.stderr)
        print(f"{passed} passed, 1 failed")
        sys.exit(1)
    print(f"{passed} passed, 0 failed")


main()
