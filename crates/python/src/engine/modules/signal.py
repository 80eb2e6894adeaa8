"""`signal`: names of signals, none of which is ever sent.

Setting a handler, a timer or sending one raises `PermissionError`; asking what is set answers.
"""

from enum import IntEnum

from _denied import refuse as _refuse

_NUMBERS = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP"
    " TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()

Signals = IntEnum(
    "Signals", [(f"SIG{name}", number) for number, name in enumerate(_NUMBERS, 1)], module=__name__
)
Handlers = IntEnum("Handlers", [("SIG_DFL", 0), ("SIG_IGN", 1)], module=__name__)
Sigmasks = IntEnum(
    "Sigmasks", [("SIG_BLOCK", 0), ("SIG_UNBLOCK", 1), ("SIG_SETMASK", 2)], module=__name__
)
for _kind in (Signals, Handlers, Sigmasks):
    globals().update(_kind.__members__)

NSIG = 65
ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF = 0, 1, 2


class ItimerError(OSError):
    """A timer that can't be set."""


def default_int_handler(signalnum, frame, /):
    """The default handler for SIGINT installed by Python: it raises KeyboardInterrupt."""
    raise KeyboardInterrupt


def getsignal(signalnum):
    """Return the current action for the given signal: always the default."""
    Signals(signalnum)
    return Handlers.SIG_DFL


def strsignal(signalnum, /):
    """Return the system description of the given signal."""
    return Signals(signalnum).name


def valid_signals():
    """Return a set of valid signal numbers on this platform."""
    return set(Signals)


def set_wakeup_fd(fd, /, *, warn_on_full_buffer=True):
    """Sets the fd to be written to when a signal comes in: none does."""
    return -1


def getitimer(which, /):
    """Returns current value of given itimer."""
    return (0.0, 0.0)


for _name in (
    "signal alarm setitimer raise_signal pause siginterrupt pthread_kill pthread_sigmask"
    " pidfd_send_signal sigpending sigtimedwait sigwait sigwaitinfo"
).split():
    globals()[_name] = _refuse(_name, "signals")
