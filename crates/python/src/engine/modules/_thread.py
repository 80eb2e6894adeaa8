"""`_thread`: locks for the one thread that there is.

A lock that is held can't be released by anybody while its holder waits for it. Waiting for that
with a timeout sleeps and fails, as it would; waiting without one raises `RuntimeError`, where it
would hang.
"""

error = RuntimeError
TIMEOUT_MAX = 9223372036.0
_IDENT = 1
_END = "deadlock: this would wait forever, as there are no other threads here"


def _denied():
    from _denied import denied

    return denied("threads")


def _wait(timeout):
    """Waits for what will not happen: for `timeout` seconds, or `RuntimeError`."""
    if timeout is None or timeout == -1:
        raise RuntimeError(_END)
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    if timeout:
        import time

        time.sleep(timeout)
    return False


def _checked(blocking, timeout):
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")


class lock:
    """A lock object is a synchronization primitive."""

    __slots__ = ("_held", "__weakref__")

    def __init__(self):
        self._held = False

    def acquire(self, blocking=True, timeout=-1):
        """Lock the lock.  Return whether it is."""
        _checked(blocking, timeout)
        if not self._held:
            self._held = True
            return True
        return _wait(timeout) if blocking else False

    def release(self):
        """Release the lock."""
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False

    def locked(self):
        """Return whether the lock is in the locked state."""
        return self._held

    def __enter__(self):
        return self.acquire()

    def __exit__(self, kind, value, traceback):
        self.release()

    def _at_fork_reinit(self):
        self._held = False

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot pickle '_thread.lock' object")

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def __repr__(self):
        state = "locked" if self._held else "unlocked"
        return f"<{state} {type(self).__module__}.{type(self).__qualname__} object at {id(self):#x}>"


LockType = lock


class RLock:
    """A lock that its holder may take again."""

    __slots__ = ("_count", "__weakref__")

    def __init__(self):
        self._count = 0

    def acquire(self, blocking=True, timeout=-1):
        """Lock the lock: at once, as nobody else can hold it."""
        _checked(blocking, timeout)
        self._count += 1
        return True

    def release(self):
        """Release the lock once."""
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1

    def locked(self):
        """Return whether the lock is in the locked state."""
        return self._count > 0

    def __enter__(self):
        return self.acquire()

    def __exit__(self, kind, value, traceback):
        self.release()

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot pickle '_thread.RLock' object")

    def _is_owned(self):
        return self._count > 0

    def _recursion_count(self):
        return self._count

    def _acquire_restore(self, state):
        self._count = state[0]

    def _release_save(self):
        state, self._count = (self._count, _IDENT), 0
        return state

    def _at_fork_reinit(self):
        self._count = 0

    def __repr__(self):
        state = "locked" if self._count else "unlocked"
        owner = _IDENT if self._count else 0
        return (
            f"<{state} {type(self).__module__}.{type(self).__qualname__} object "
            f"owner={owner} count={self._count} at {id(self):#x}>"
        )


class _local:
    """Thread-local data: that of the one thread."""

    def __new__(cls, /, *args, **kwargs):
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        return object.__new__(cls)


class _ThreadHandle:
    """What `threading` knows a thread by."""

    def __init__(self):
        self.ident = _IDENT
        self._done = False

    def _set_done(self):
        self._done = True

    def is_done(self):
        return self._done

    def join(self, timeout=None):
        if not self._done:
            _wait(timeout)


def _make_thread_handle(ident):
    handle = _ThreadHandle()
    handle.ident = ident
    return handle


class _ExceptHookArgs(tuple):
    """What `threading.excepthook` is given."""

    exc_type = property(lambda self: self[0])
    exc_value = property(lambda self: self[1])
    exc_traceback = property(lambda self: self[2])
    thread = property(lambda self: self[3])


def allocate_lock():
    """Create a new lock object."""
    return lock()


allocate = allocate_lock


def start_new_thread(function, args, kwargs=None, /):
    """Start a new thread: there are none."""
    raise _denied()


start_new = start_new_thread


def start_joinable_thread(function, handle=None, daemon=True):
    """Start a new thread: there are none."""
    raise _denied()


def exit():
    """Ends the thread, which is the run."""
    raise SystemExit


exit_thread = exit


def interrupt_main(signum=2, /):
    """Interrupts the thread that there is."""
    raise KeyboardInterrupt


def get_ident():
    """Return a non-zero integer that identifies the thread."""
    return _IDENT


get_native_id = _get_main_thread_ident = get_ident


def stack_size(size=0, /):
    """Return the thread stack size used when creating new threads."""
    if size:
        raise ValueError("setting stack size not supported")
    return 0


def daemon_threads_allowed():
    """Whether there may be daemon threads."""
    return True


def set_name(name):
    """Names the thread for the system."""


def _count():
    return 0


def _shutdown():
    pass


def _is_main_interpreter():
    return True
