"""`concurrent.futures.process`: an executor that can't be made."""

from concurrent.futures import _base

from _denied import denied as _denied


class BrokenProcessPool(_base.BrokenExecutor):
    """A process of a pool that ended."""


class ProcessPoolExecutor(_base.Executor):
    """An executor of processes: there are none."""

    def __init__(self, max_workers=None, mp_context=None, initializer=None, initargs=(), **more):
        raise _denied("processes")
