"""`multiprocessing.pool`: pools of processes or threads, neither of which there are."""

from _denied import denied as _denied


class Pool:
    """A pool of processes."""

    def __init__(self, *args, **kwargs):
        raise _denied("processes")


class ThreadPool:
    """A pool of threads."""

    def __init__(self, *args, **kwargs):
        raise _denied("threads")
