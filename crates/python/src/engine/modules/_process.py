"""The half of `posix` that is about processes, users and the machine: there is one of each.

What would start, end or change another raises `PermissionError` and says what is not available.
"""

import _memfs as _fs
from _denied import denied as _denied
from _denied import refuse as _refuse
from _structs import times_result, uname_result

EX_OK = 0
NGROUPS_MAX, TMP_MAX = 65536, 238328
WNOHANG, WUNTRACED, WCONTINUED = 1, 2, 8
P_PID, P_PGID, P_ALL = 1, 2, 0
UID = 1000


def uname():
    """Return an object identifying the current operating system: none that is real."""
    return uname_result(("Linux", "localhost", "", "", ""))


def times():
    """Return a collection containing process timing information."""
    import time

    return times_result((time.process_time(), 0.0, 0.0, 0.0, time.monotonic()))


def cpu_count():
    """Return the number of logical CPUs in the system: one, for code has no threads."""
    return 1


def getpid():
    """Return the current process id."""
    return 1


def getppid():
    """Return the parent's process id."""
    return 0


def getuid():
    """Return the current process's user id."""
    return UID


getgid = geteuid = getegid = getuid


def getgroups():
    """Return list of supplemental group IDs for the process."""
    return [UID]


def getpgid(pid):
    """Call the system call getpgid(), and return the result."""
    return 1


def getpgrp():
    """Return the current process group id."""
    return 1


getsid = getpgid


def getlogin():
    """Return the actual login name: nobody logged in."""
    raise _fs.error("ENOTTY")


def getloadavg():
    """Return average recent system load information: not known."""
    raise OSError("Load averages are unobtainable")


def get_terminal_size(fd=1):
    """Return the size of the terminal window as (columns, lines): there is none."""
    raise _fs.error("ENOTTY")


def ttyname(fd):
    """Return the name of the terminal device connected to 'fd': none is."""
    raise _fs.error("ENOTTY")


def sched_yield():
    """Voluntarily relinquish the CPU."""


def sched_getaffinity(pid):
    """Return the affinity of the process identified by pid."""
    return {0}


def nice(increment):
    """Add increment to the priority of process and return the new priority."""
    if increment:
        raise _denied("process priorities")
    return 0


def register_at_fork(*, before=None, after_in_child=None, after_in_parent=None):
    """Register callables to be called when forking a new process: that is never."""


def WIFEXITED(status):
    """Return True if the process returning status exited via the exit() system call."""
    return status & 0x7F == 0


def WEXITSTATUS(status):
    """Return the process return code from status."""
    return status >> 8 & 0xFF


def WIFSIGNALED(status):
    """Return True if the process returning status was terminated by a signal."""
    return 0 < status & 0x7F < 0x7F


def WTERMSIG(status):
    """Return the signal that terminated the process that provided the status value."""
    return status & 0x7F


def WIFSTOPPED(status):
    """Return True if the process returning status was stopped."""
    return status & 0xFF == 0x7F


def waitstatus_to_exitcode(status):
    """Convert a wait status to an exit code."""
    return WEXITSTATUS(status) if WIFEXITED(status) else -WTERMSIG(status)


for _what, _refused in {
    "processes": "fork forkpty execv execve posix_spawn posix_spawnp system wait waitpid wait3"
    " wait4 waitid abort openpty",
    "signals": "kill killpg",
    "pipes": "pipe pipe2 mkfifo mknod memfd_create eventfd sendfile",
    "other users": "setuid setgid seteuid setegid setreuid setregid setgroups setsid setpgid",
    "other file systems": "chroot mount",
}.items():
    for _name in _refused.split():
        globals()[_name] = _refuse(_name, _what)
