"""What the engine calls: before a run, for `await` at top level, after it, and for imports that fail."""

import atexit
import sys
import time

import _memfs

# What models ask for most, of what can be imported.
_EXAMPLES = "math, statistics, datetime, json, re, collections, itertools, random, csv, …"

# Parts of the standard library that are nothing without an operating system.
_ABSENT = {
    "ctypes": "native code",
    "_ctypes": "native code",
    "sqlite3": "databases",
    "_sqlite3": "databases",
    "tkinter": "windows",
    "_tkinter": "windows",
    "turtle": "windows",
    "curses": "terminals",
    "termios": "terminals",
    "readline": "terminals",
    "mmap": "memory-mapped files",
    "resource": "limits of processes",
    "fcntl": "file locks",
}


def hint(name):
    """The text of a `ModuleNotFoundError`."""
    top = name.partition(".")[0]
    known = sys.stdlib_module_names
    if name != top and top in known:
        return f"No module named {name!r}"
    what = _ABSENT.get(top)
    if what:
        return f"No module named {name!r}: {what} are not available here"
    if top in known or top.startswith("_"):
        return f"No module named {name!r}: it is not part of the Python here"
    return f"No module named {name!r}: only the standard library is available here ({_EXAMPLES})"


def settle():
    """The last thing before any code runs: what modules registered for the end is nobody's."""
    atexit._clear()


def prepare():
    """Makes a process its own what must not be shared with others of the same zygote."""
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    begin()


def begin():
    """Begins a run: what has a time has this one."""
    now = time.time_ns()
    _memfs.begin(now)
    logging = sys.modules.get("logging")
    if logging is not None:
        logging._startTime = now


def run(coroutine):
    """The result of a coroutine: the code of a run that has `await` at top level."""
    import asyncio

    return asyncio.run(coroutine)


def finish():
    """Calls what was registered for the end, and writes what is still buffered."""
    if atexit._ncallbacks():
        atexit._run_exitfuncs()
    logging = sys.modules.get("logging")
    # One is that of the module.
    if logging is not None and len(logging._handlerList) > 1:
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
