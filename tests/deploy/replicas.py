"""Real servers, each of which keeps its port when it starts again, and the proxies in front of them."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from harness import ENVIRONMENT, SERVER, START_SECONDS, STOP_SECONDS, Failed

LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
METRICS = re.compile(r"metrics on http://127\.0\.0\.1:(\d+)/metrics")
# As long as Caddy needs to see that a replica is about to end: it asks every second.
DRAIN_DELAY = 3
# Root's proxies run as nobody, as they should in earnest.
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def help_text(program: Path = SERVER) -> str:
    command = [program, "serve", "--help-all"]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


class Replica:
    """One server."""

    def __init__(self, keys: Path, options: list[str], program: Path = SERVER) -> None:
        self.keys = keys
        self.options = options
        self.program = program
        self.port = 0
        # Where its metrics are, if it has been told to show them.
        self.metrics = 0
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self, keys: Path | None = None) -> None:
        self.keys = keys or self.keys
        command = [self.program, "serve", "--transport", "http", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--state-keys", str(self.keys), *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=self.keys.parent,
            env=ENVIRONMENT,
        )
        listens = threading.Event()
        seen: list[str] = []

        def read(stderr) -> None:
            for line in stderr:
                seen.append(line)
                del seen[:-50]
                if found := METRICS.search(line):
                    self.metrics = int(found[1])
                if found := LISTENING.search(line):
                    self.port = int(found[1])
                    listens.set()

        threading.Thread(target=read, args=(self.process.stderr,), daemon=True).start()
        if not listens.wait(START_SECONDS):
            raise Failed(f"a replica did not listen within {START_SECONDS} s:\n{''.join(seen)}")

    def stop(self) -> None:
        """Ends it as systemd and Kubernetes do."""
        self.leave()
        self.wait()

    def leave(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        code = self.process.wait(STOP_SECONDS + DRAIN_DELAY)
        if code != 0:
            raise Failed(f"after SIGTERM a replica ended with exit code {code}")

    def kill(self) -> tuple[float, float]:
        """`kill -9`; returns between which times it died."""
        before = time.monotonic()
        self.process.kill()
        self.process.wait()
        return before, time.monotonic()


    def listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """A proxy with the configuration of deploy/, in a folder of its own."""

    name: str

    def __init__(self, deploy: Path, folder: Path, replicas: list[Replica]) -> None:
        self.deploy = deploy
        self.folder = folder
        self.replicas = replicas
        self.process: subprocess.Popen[bytes] | None = None

    def blind_seconds(self) -> float:
        """For how long it may send calls to a replica that is dead."""
        return 0

    def wait_for(self, replica: Replica) -> None:
        """Waits until it knows that a replica which was gone is there again."""

    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{replica.port}" for replica in self.replicas]

    def start(self, command: list[str], port: int, environment: dict[str, str]) -> None:
        log = self.folder / "log"
        log.write_text("")
        log.chmod(0o666)
        for path in [self.folder, *self.folder.rglob("*")]:
            if NOBODY:
                os.chown(path, NOBODY["user"], NOBODY["group"])
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder, env=environment, **NOBODY
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        raise Failed(f"{self.name} does not listen:\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class Nginx(Proxy):
    name = "nginx"
    # Where the replicas are.
    upstream = "upstream.conf"
    tls = True

    def begin(self, sticky: bool) -> str:
        """Starts it, and returns the address of the endpoint behind it."""
        port = free_port()
        text = (self.deploy / "nginx" / "nginx.conf").read_text()
        listen = f"listen 127.0.0.1:{port}" + (" ssl http2" if self.tls else "")
        text, count = re.subn(r"listen 8443 ssl http2", listen, text)
        if count != 1:
            raise Failed("nginx.conf has no line `listen 8443 ssl http2`")
        (self.folder / "nginx.conf").write_text(text)
        tls = self.folder / "tls"
        tls.mkdir(exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
            + ["-keyout", tls / "key.pem", "-out", tls / "cert.pem"],
            check=True,
            capture_output=True,
        )
        self.write_upstream(sticky)
        command = ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, cwd=self.folder)
        if tested.returncode != 0 or "[warn]" in tested.stderr:
            raise Failed(f"nginx -t:\n{tested.stderr}")
        self.start([*command, "-g", "daemon off;"], port, dict(os.environ))
        return f"http{'s' if self.tls else ''}://127.0.0.1:{port}/mcp"

    def write_upstream(self, sticky: bool) -> None:
        text = (self.deploy / "nginx" / self.upstream).read_text()
        for number, replica in enumerate(self.replicas, 1):
            name = f"server pymcp-{number}:8000 "
            if name not in text:
                raise Failed(f"{self.upstream} has no {name}")
            text = text.replace(name, f"server 127.0.0.1:{replica.port} ")
        if not sticky:
            text = text.replace("hash $mcp_place consistent;", "")
        (self.folder / "upstream.conf").write_text(text)


class Caddy(Proxy):
    name = "Caddy"

    def blind_seconds(self) -> float:
        # Up to 2.11.1 a call with a body that could not connect is not tried again (caddyserver/caddy#7546): calls fail
        # until the health check has seen that the replica is gone.
        said = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
        version = tuple(int(part) for part in re.findall(r"\d+", said)[:3])
        return 2 if version <= (2, 11, 1) else 0

    def wait_for(self, replica: Replica) -> None:
        # Its log says so within a second, if it has noticed at all that the replica was gone.
        log = self.folder / "log"
        up = f'"msg":"host is up","host":"127.0.0.1:{replica.port}"'
        seen = self.ups.get(replica.port, 0)
        end = time.monotonic() + 3
        while time.monotonic() < end and log.read_text().count(up) == seen:
            time.sleep(0.1)
        self.ups[replica.port] = log.read_text().count(up)

    def begin(self, sticky: bool) -> str:
        self.ups: dict[int, int] = {}
        port = free_port()
        shutil.copy(self.deploy / "caddy" / "Caddyfile", self.folder)
        environment = dict(os.environ) | {
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
            "PYMCP_SITE": f"http://127.0.0.1:{port}",
            "PYMCP_REPLICAS": " ".join(self.addresses()),
        }
        if not sticky:
            # Not `round_robin`: at two steps at once, Caddy 2.6 may find a replica that is gone twice, and give up.
            environment["PYMCP_POLICY"] = "random"
        arguments = ["--config", str(self.folder / "Caddyfile"), "--adapter", "caddyfile"]
        # As it is written, too: a name that gets a certificate.
        for env in [environment, dict(os.environ) | {"HOME": str(self.folder)}]:
            tested = subprocess.run(["caddy", "validate", *arguments], env=env, capture_output=True, text=True)
            if tested.returncode != 0 or '"level":"warn"' in tested.stderr:
                raise Failed(f"caddy validate:\n{tested.stderr}")
        self.start(["caddy", "run", *arguments], port, environment)
        return f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)
