"""`multiprocessing`: its names; what would start a process raises `PermissionError`."""

from _denied import denied as _denied
from _denied import refuse as _refuse


class ProcessError(Exception):
    """The base of what a process raises."""


class BufferTooShort(ProcessError):
    """A message that is larger than its buffer."""


class AuthenticationError(ProcessError):
    """A connection that is not allowed."""


TimeoutError = type("TimeoutError", (ProcessError,), {"__module__": __name__})


class Process:
    """A process: it can be described, not started."""

    def __init__(self, group=None, target=None, name=None, args=(), kwargs={}, *, daemon=None):
        self._target = target
        self._args, self._kwargs = tuple(args), dict(kwargs)
        self.name = name or "Process-1"
        self.daemon = bool(daemon)
        self.pid = self.ident = self.exitcode = None

    def run(self):
        if self._target:
            self._target(*self._args, **self._kwargs)

    def is_alive(self):
        return False

    start = _refuse("start", "processes")
    join = terminate = kill = close = start


class _Main(Process):
    """The process that runs."""

    def __init__(self):
        super().__init__(name="MainProcess")
        self.pid = self.ident = 1

    def is_alive(self):
        return True


_main = _Main()


def current_process():
    """Return the process that runs."""
    return _main


def parent_process():
    """Return the parent of the process that runs: none."""
    return None


def active_children():
    """Return list of process objects corresponding to live child processes: none."""
    return []


def cpu_count():
    """Returns the number of CPUs in the system: one."""
    return 1


def freeze_support():
    """Does nothing, as ever where programs are not frozen."""


def get_start_method(allow_none=False):
    """The way to start processes."""
    return "fork"


def set_start_method(method, force=False):
    """Sets the way to start processes, which is never taken."""


def get_all_start_methods():
    """The ways to start processes."""
    return ["fork", "spawn", "forkserver"]


def get_context(method=None):
    """The functions of this module."""
    import sys

    return sys.modules[__name__]


for _name in (
    "Pool Queue SimpleQueue JoinableQueue Pipe Manager Value Array RawValue RawArray Lock RLock"
    " Semaphore BoundedSemaphore Condition Event Barrier"
).split():
    globals()[_name] = _refuse(_name, "processes")
