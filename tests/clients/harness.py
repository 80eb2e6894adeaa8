"""What the client checks share: the server under test and the tools that npm installs."""

import contextlib
import filecmp
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
SERVER = Path(os.environ.get("PYMCP", TARGET / "release" / "pymcp")).resolve()
# The same server with the components that the conformance suite asks for.
FIXTURES = Path(os.environ.get("PYMCP_FIXTURES", TARGET / "debug" / "examples" / "conformance")).resolve()

# The server is checked with its defaults, whatever the caller has exported.
SETTINGS = ("PYMCP_", "FASTMCP_", "MCP_SERVER_", "RESPONSE_CACHE_", "ASGI_CORS_")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/(?:mcp|sse)\b")
START_SECONDS = 20
STOP_SECONDS = 10

# `timeout` ends a script with SIGTERM, which by default would skip every cleanup.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Failed(Exception):
    """A check that did not hold; its text is what a person should read."""


def require_program(program: Path, variable: str, command: str) -> None:
    """Ends the script when `program`, which `variable` may name and `command` builds, is not there."""
    if not program.is_file():
        sys.exit(f"no server at {program}: run `{command}` first, or name one in {variable}")


def require_server() -> None:
    require_program(SERVER, "PYMCP", "cargo build --release")


@contextlib.contextmanager
def http_server(transport: str = "http", program: Path = SERVER, options: Sequence[str] = ()) -> Iterator[str]:
    """Runs the server on a free loopback port and gives its address."""
    # Another working directory than the project's: the server must need nothing from there.
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [program, "serve", "--transport", transport, "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=directory,
            env=ENVIRONMENT,
        )
        try:
            yield _address(process)
            process.terminate()
            code = process.wait(STOP_SECONDS)
            if code != 0:
                raise Failed(f"after SIGTERM the {transport} server ended with exit code {code}, not 0")
        except subprocess.TimeoutExpired:
            raise Failed(f"the {transport} server was still there {STOP_SECONDS} s after SIGTERM") from None
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    """Waits for the line that names the address, and keeps reading so that the pipe never fills."""
    found: queue.Queue[str | None] = queue.Queue()
    seen: list[str] = []

    def read() -> None:
        for line in process.stderr:
            if len(seen) < 50:
                seen.append(line)
            if match := ADDRESS.search(line):
                found.put(match[0])
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        address = found.get(timeout=START_SECONDS)
    except queue.Empty:
        address = None
    if address is None:
        raise Failed(f"the server named no address within {START_SECONDS} s; it wrote:\n{''.join(seen)}")
    return address


def npm_tools(manifest: Path) -> Path:
    """Installs what `manifest` locks, below the target folder, and gives its folder of commands."""
    lock = manifest.with_name("package-lock.json")
    home = TARGET / "clients" / manifest.parent.name
    commands = home / "node_modules" / ".bin"
    installed = home / "installed-lock.json"
    if not (installed.is_file() and filecmp.cmp(lock, installed, shallow=False)):
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest, home)
        shutil.copy(lock, home)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=home, check=True)
        shutil.copy(lock, installed)
    return commands


def node_environment(commands: Path, home: Path) -> dict[str, str]:
    """Puts the pinned node first, and keeps whatever the tools store out of the user's home."""
    home.mkdir(parents=True, exist_ok=True)
    return ENVIRONMENT | {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}


if __name__ == "__main__":
    # For each folder that is named, what its package.json asks for.
    for folder in sys.argv[1:]:
        npm_tools(Path(folder).resolve() / "package.json")
