"""What an image must be, as far as its Dockerfile says: one static binary, not root, with a check of its health."""

import sys

import dockerfile

# Without a C library, a shell and a package manager; with certificates of authorities.
BASE = "gcr.io/distroless/static-debian12:nonroot"
STATIC = "-C target-feature=+crt-static"


def check(what: str, held: bool) -> None:
    if not held:
        sys.exit(f"FAILED: {what}")


for path in sys.argv[1:]:
    commands = dockerfile.parse_file(path)
    starts = [number for number, command in enumerate(commands) if command.cmd == "FROM"]
    check(f"{path} has a stage that builds and one that is the image", len(starts) == 2)
    build, image = commands[: starts[1]], commands[starts[1] :]

    variables = [command.value for command in build if command.cmd == "ENV"]
    links = [value[1] for value in variables if value[0] == "RUSTFLAGS"]
    check(f"{path} links the C library into the binary", any(STATIC in flags for flags in links))
    runs = [command.value[0] for command in build if command.cmd == "RUN"]
    # Without a target, macros would have the flag as well, and could not be built.
    check(f"{path} builds for a target that is named", any("cargo build" in run and "--target" in run for run in runs))

    by_name = {command.cmd: command for command in image}
    check(f"{path} begins with {BASE}", image[0].value == (BASE,))
    check(f"{path} adds one file", [command.cmd for command in image].count("COPY") == 1)
    check(f"{path} runs nothing in the image", "RUN" not in by_name)
    user = by_name["USER"].value[0].split(":")
    check(f"{path} is not root, in numbers", all(part.isdecimal() and part != "0" for part in user))
    for name in ["ENTRYPOINT", "CMD", "HEALTHCHECK"]:
        check(f"{path} has {name} without a shell", name in by_name and by_name[name].json)
    program = by_name["ENTRYPOINT"].value[0]
    check(f"{path} asks its own program for its health", by_name["HEALTHCHECK"].value == ("CMD", program, "health"))
