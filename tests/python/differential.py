"""Compares run_python_code with this Python: the cases of cases.txt must give the same repr, or raise the same type.

differences.txt says which may differ, and why; one that no longer does is an error as well. `--messages` also lists
the exceptions whose text differs, which is no failure.
"""

import ast
import builtins
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import Failed, require_server
from tool import Tool, tool

HERE = Path(__file__).parent
EVALUATE = (HERE / "evaluate.py").read_text()
# One call of the tool evaluates so many cases.
BATCH = 40
AT_LEAST = 650
DIFFERENCES_AT_MOST = 10


@dataclass
class Case:
    """One case, in the two parts that the Pythons run."""

    area: str
    name: str
    body: str
    expression: str

    @property
    def key(self) -> str:
        return f"[{self.area}] {self.name}"


def split(area: str, name: str, setup: list[str], source: str) -> Case:
    """The last expression on its own, since its value is asked for; what is no Python at all fails as one."""
    head = "".join(line + "\n" for line in setup)
    try:
        *_, last = ast.parse(source).body
    except (SyntaxError, ValueError):
        return Case(area, name, head + source, "")
    if not isinstance(last, ast.Expr):
        return Case(area, name, head + source, "")
    lines = source.splitlines(keepends=True)
    start = lines[last.lineno - 1].encode()
    before = "".join(lines[: last.lineno - 1]) + start[: last.col_offset].decode()
    rest = start[last.col_offset :].decode() + "".join(lines[last.lineno :])
    return Case(area, name, head + before, f"(\n{rest}\n)" if not rest.startswith(("'", '"', "f", "r")) else rest)


def read_cases(path: Path) -> list[Case]:
    cases: list[Case] = []
    area, setup = "", []
    lines = iter(path.read_text(encoding="utf-8").split("\n"))
    for line in lines:
        if line.startswith("[") and line.endswith("]") and line[1:-1].isidentifier():
            area, setup = line[1:-1], []
        elif line.startswith("! "):
            setup.append(line[2:])
        elif line.startswith("--- "):
            source = "\n".join(iter(lambda: next(lines), "---"))
            cases.append(split(area, line[4:], setup, source))
        elif line and not line.startswith("#"):
            cases.append(split(area, line, setup, line))
    keys = [case.key for case in cases]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise Failed(f"cases of the same name: {sorted(twice)}")
    return cases


def read_differences(path: Path) -> dict[str, str]:
    """Each case that may differ, and the reason."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key, _, reason = line.rpartition(" ## ")
            if not key or not reason.strip():
                raise Failed(f"{path.name}: no reason, or no case, in: {line}")
            found[key.strip()] = reason.strip()
    return found


def here(cases: list[Case]) -> list[list[str]]:
    names = {"cases": [(case.body, case.expression) for case in cases], "__builtins__": builtins}
    *body, last = ast.parse(EVALUATE).body
    exec(compile(ast.Module(body, []), "evaluate", "exec"), names)
    return eval(compile(ast.Expression(last.value), "evaluate", "eval"), names)


def there(python: Tool, cases: list[Case]) -> list[list[str]]:
    """What the tool makes of them; where a batch as a whole fails, one by one."""
    inputs = {"cases": [[case.body, case.expression] for case in cases]}
    answer = python.run(EVALUATE, inputs=inputs, check_types=False)
    if not answer.failed:
        return json.loads(answer.text)
    if len(cases) == 1:
        return [["fails", answer.text]]
    return [result for case in cases for result in there(python, [case])]


def compare(python: Tool, cases: list[Case]) -> tuple[dict[str, str], list[str]]:
    """The cases that differ and how, and the exceptions that only speak differently."""
    differ: dict[str, str] = {}
    words: list[str] = []
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        for case, ours, theirs in zip(batch, here(batch), there(python, batch), strict=True):
            if ours[:2] != theirs[:2]:
                differ[case.key] = f"  CPython  {' '.join(ours)}\n  the tool {' '.join(theirs)}"
            elif ours != theirs:
                words.append(f"{case.key}\n  CPython  {ours[2]}\n  the tool {theirs[2]}")
    return differ, words


def judge() -> int:
    cases = read_cases(HERE / "cases.txt")
    allowed = read_differences(HERE / "differences.txt")
    if len(cases) < AT_LEAST:
        raise Failed(f"{len(cases)} cases, which should be {AT_LEAST} at least")
    if len(allowed) > DIFFERENCES_AT_MOST:
        raise Failed(f"{len(allowed)} differences are allowed, which should be {DIFFERENCES_AT_MOST} at most")
    if unknown := allowed.keys() - {case.key for case in cases}:
        raise Failed(f"differences.txt has cases that cases.txt has not: {sorted(unknown)}")
    with tool("--python-timeout", "60", "--python-workers", "1") as python:
        differ, words = compare(python, cases)
    wrong = [f"{key}\n{how}" for key, how in differ.items() if key not in allowed]
    wrong += [f"{key}\n  differs no longer: take it from differences.txt" for key in allowed if key not in differ]
    print("\n".join(wrong + (words if "--messages" in sys.argv else [])))
    print(f"{len(cases)} cases, {len(differ)} differ, {len(allowed)} of them allowed to; {len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    require_server()
    try:
        sys.exit(judge())
    except Failed as error:
        sys.exit(f"FAILED {error}")
