"""A static binary in a root of its own: it needs no library, finds names by files and by DNS, and trusts what the image trusts."""

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PROGRAM = Path(sys.argv[1]).resolve()
USER = 65532
SECONDS = 20
NAME = "mcp.image.test"
LISTENING = re.compile(r"listening on (https?)://[^/]*:(\d+)/mcp")


def check(what: str, held: bool, got: object = "") -> None:
    if not held:
        sys.exit(f"FAILED: {what}\n{got}")


def image(root: Path) -> None:
    """What gcr.io/distroless/static-debian12 has of what matters here, and the program."""
    (root / "etc/ssl/certs").mkdir(parents=True)
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    shutil.copy(PROGRAM, root / "zebra-2")
    (root / "zebra-2").chmod(0o755)


def certificate(root: Path) -> None:
    """A certificate for the server, which the image trusts."""
    (root / "tls").mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        + ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-addext", "basicConstraints=CA:FALSE"]
        + ["-keyout", root / "tls/key.pem", "-out", root / "tls/cert.pem"],
        check=True,
        capture_output=True,
    )
    os.chown(root / "tls/key.pem", USER, USER)
    shutil.copy(root / "tls/cert.pem", root / "etc/ssl/certs/ca-certificates.crt")


def run(root: Path, *arguments: str) -> subprocess.Popen[str]:
    def enter() -> None:
        os.chroot(root)
        os.chdir("/")
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)

    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(["/zebra-2", *arguments], text=True, env={}, preexec_fn=enter, **pipes)


def succeeds(root: Path, *arguments: str) -> str:
    process = run(root, *arguments)
    out, err = process.communicate(timeout=SECONDS)
    check(f"{arguments} succeeds", process.returncode == 0, err)
    return out


def serve(root: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    process = run(root, "serve", "--transport", "http", "--port", "0", *arguments)
    for line in process.stderr:
        if found := LISTENING.search(line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(found[2])
    sys.exit(f"FAILED: {arguments} does not listen: {process.wait()}")


def names(server: socket.socket) -> None:
    """Answers every question for an IPv4 address with this machine, and every other with nothing."""
    while True:
        query, client = server.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        is_address = struct.unpack("!H", query[end - 4 : end - 2])[0] == 1
        head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, int(is_address), 0, 0)
        answer = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, bytes([127, 0, 0, 1])) if is_address else b""
        server.sendto(head + query[12:end] + answer, client)


def main() -> None:
    loaded = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True)
    said = loaded.stdout + loaded.stderr
    check("nothing is loaded", "statically linked" in said or "not a dynamic executable" in said, said)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        root = Path(folder)
        root.chmod(0o755)
        image(root)
        certificate(root)
        # The port of DNS, at an address of this machine that nobody else has.
        resolver.bind(("127.5.3.53", 53))
        threading.Thread(target=names, args=(resolver,), daemon=True).start()
        (root / "etc/resolv.conf").write_text("nameserver 127.5.3.53\n")

        check("it runs", succeeds(root, "--version").startswith("zebra-2 "))
        plain, port = serve(root)
        succeeds(root, "health", f"http://localhost:{port}/healthz")
        plain.terminate()
        check("it ends at SIGTERM", plain.wait(SECONDS) == 0)

        secure, port = serve(
            root, "--tls-cert", "/tls/cert.pem", "--tls-key", "/tls/key.pem", "--allowed-hosts", NAME
        )
        listed = succeeds(root, "list", "--url", f"https://{NAME}:{port}/mcp")
        check("a name that DNS has is found, and a certificate that the image trusts is", "hail" in listed, listed)
        secure.terminate()
        check("it ends at SIGTERM", secure.wait(SECONDS) == 0)
    print(f"{said.strip()}; names by files and by DNS, TLS")


if __name__ == "__main__":
    main()
