"""`posix`: what `os` is made of, over files in memory and with no system below.

Files and directories are those of `_memfs`. The environment is empty. What would need a process,
a signal, a terminal or a user raises `PermissionError` and says what is not available.
"""

import _memfs as _fs
from _denied import denied as _denied
from _pymcp import urandom
from _memfs import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    strerror,
)
from _process import *
from _process import UID as _uid
from _structs import sched_param, stat_result, statvfs_result, terminal_size, times_result, uname_result

O_CLOEXEC, O_NONBLOCK, O_SYNC, O_NOFOLLOW = 0o2000000, 0o4000, 0o4010000, 0o400000
F_OK, R_OK, W_OK, X_OK = 0, 4, 2, 1
SEEK_SET, SEEK_CUR, SEEK_END = 0, 1, 2

error = OSError
environ = {}
_have_functions = ["HAVE_FTRUNCATE"]


def fspath(path):
    """Return the file system path representation of the object."""
    if isinstance(path, (str, bytes)):
        return path
    method = getattr(type(path), "__fspath__", None)
    if method is None:
        raise TypeError(f"expected str, bytes or os.PathLike object, not {type(path).__name__}")
    path_repr = method(path)
    if isinstance(path_repr, (str, bytes)):
        return path_repr
    raise TypeError(
        f"expected {type(path).__name__}.__fspath__() to return str or bytes, "
        f"not {type(path_repr).__name__}"
    )


def _here(dir_fd):
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")


def _stat_of(node):
    times = (node.atime, node.mtime, node.ctime)
    fields = {f"st_{name}time_ns": ns for name, ns in zip("amc", times)}
    fields.update((f"st_{name}time", ns / 1e9) for name, ns in zip("amc", times))
    seconds = [ns // 1_000_000_000 for ns in times]
    return stat_result(
        (node.kind | node.mode, node.inode, 1, node.links, _uid, _uid, node.size(), *seconds),
        fields,
    )


def _node(path, name="path"):
    if isinstance(path, int) and not isinstance(path, bool):
        return _fs.descriptor(path).node
    return _fs.find(_fs.text(path, name), path)


def _stat_path(path, function):
    if isinstance(path, (str, bytes)):
        return
    if not isinstance(path, int) and not hasattr(type(path), "__fspath__"):
        raise TypeError(
            f"{function}: path should be string, bytes, os.PathLike or integer, "
            f"not {type(path).__name__}"
        )


def stat(path, *, dir_fd=None, follow_symlinks=True):
    """Perform a stat system call on the given path."""
    _here(dir_fd)
    _stat_path(path, "stat")
    return _stat_of(_node(path))


def lstat(path, *, dir_fd=None):
    """Perform a stat system call on the given path; there are no symbolic links."""
    return stat(path, dir_fd=dir_fd)


def fstat(fd):
    """Perform a stat system call on the given file descriptor."""
    return _stat_of(_fs.descriptor(fd).node)


def access(path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True):
    """Whether the path is there; everything that is may be read and written."""
    _here(dir_fd)
    try:
        node = _node(path)
    except OSError:
        return False
    return not mode & X_OK or bool(node.mode & 0o111)


def getcwd():
    """Return a unicode string representing the current working directory."""
    return _fs.cwd_path


def getcwdb():
    """Return a bytes string representing the current working directory."""
    return _fs.cwd_path.encode("utf-8", "surrogateescape")


def chdir(path):
    """Change the current working directory to the specified path."""
    if isinstance(path, int):
        opened = _fs.descriptor(path)
        path, node = opened.path, opened.node
    else:
        node = _node(path)
    if node.kind != _fs.S_IFDIR:
        raise _fs.error("ENOTDIR", path)
    _fs.cwd_path = _fs.absolute(_fs.text(path))
    _fs.cwd = node


fchdir = chdir


def umask(mask):
    """Set the current numeric umask and return the previous umask."""
    before, _fs.mask = _fs.mask, mask & 0o777
    return before


def open(path, flags, mode=0o777, *, dir_fd=None):
    """Open a file for low level IO.  Returns a file descriptor (integer)."""
    _here(dir_fd)
    return _fs.install(_fs.open_node(_fs.text(path), flags, mode, path))


def close(fd):
    """Close a file descriptor."""
    _fs.descriptor(fd)
    del _fs.descriptors[fd]


def closerange(fd_low, fd_high):
    """Closes all file descriptors in [fd_low, fd_high), ignoring errors."""
    for fd in list(_fs.descriptors):
        if fd_low <= fd < fd_high:
            del _fs.descriptors[fd]


def dup(fd):
    """Return a duplicate of a file descriptor."""
    return _fs.install(_fs.descriptor(fd))


def dup2(fd, fd2, inheritable=True):
    """Duplicate file descriptor."""
    opened = _fs.descriptor(fd)
    if not 0 <= fd2 < _fs.DESCRIPTORS:
        raise _fs.error("EBADF")
    _fs.descriptors[fd2] = opened
    return fd2


def read(fd, length):
    """Read from a file descriptor.  Returns a bytes object."""
    if length < 0:
        raise _fs.error("EINVAL")
    return _fs.descriptor(fd).read(length)


def write(fd, data):
    """Write a bytes object to a file descriptor."""
    if isinstance(data, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    return _fs.descriptor(fd).write(bytes(memoryview(data)))


def pread(fd, length, offset):
    """Read a number of bytes from a file descriptor starting at a particular offset."""
    opened = _fs.descriptor(fd)
    if not opened.readable():
        raise _fs.error("EBADF")
    return opened.node.read(offset, length)


def pwrite(fd, data, offset):
    """Write bytes to a file descriptor starting at a particular offset."""
    opened = _fs.descriptor(fd)
    if not opened.writable():
        raise _fs.error("EBADF")
    return opened.node.write(offset, bytes(memoryview(data)))


def lseek(fd, position, whence):
    """Set the position of a file descriptor.  Return the new position."""
    return _fs.descriptor(fd).seek(position, whence)


def ftruncate(fd, length):
    """Truncate a file, specified by file descriptor, to a specific length."""
    opened = _fs.descriptor(fd)
    if not opened.writable():
        raise _fs.error("EINVAL")
    opened.node.truncate(length)


def truncate(path, length):
    """Truncate a file, specified by path, to a specific length."""
    node = _node(path)
    if node.kind == _fs.S_IFDIR:
        raise _fs.error("EISDIR", path)
    node.truncate(length)


def fsync(fd):
    """Force write of fd to disk: there is none."""
    _fs.descriptor(fd.fileno() if hasattr(fd, "fileno") else fd)


fdatasync = fsync


def sync():
    """Force write of everything to disk: there is none."""


def isatty(fd):
    """Return True if the fd is connected to a terminal: never."""
    return False


def get_inheritable(fd):
    """Get the close-on-exe flag of the specified file descriptor."""
    return _fs.descriptor(fd).inheritable


def set_inheritable(fd, inheritable):
    """Set the inheritable flag of the specified file descriptor."""
    _fs.descriptor(fd).inheritable = bool(inheritable)


def get_blocking(fd):
    """Whether reads and writes wait: they never need to."""
    _fs.descriptor(fd)
    return True


def set_blocking(fd, blocking):
    """Makes reads and writes wait or not: they never need to."""
    _fs.descriptor(fd)


def _writable(directory, path):
    if isinstance(directory, _fs.Zones):
        raise _fs.error("EROFS", path)


def mkdir(path, mode=0o777, *, dir_fd=None):
    """Create a directory."""
    _here(dir_fd)
    parent, name = _fs.split(_fs.text(path), path)
    if name is None or parent.get(name) is not None:
        raise _fs.error("EEXIST", path)
    _writable(parent, path)
    parent.entries[name] = _fs.Dir(parent, mode & ~_fs.mask & 0o7777)
    parent.links += 1
    parent.changed()


def _held(path):
    """`(directory, name, node)` of a path that is there."""
    parent, name = _fs.split(_fs.text(path), path)
    node = parent if name is None else parent.get(name)
    if node is None:
        raise _fs.error("ENOENT", path)
    _writable(parent, path)
    return parent, name, node


def unlink(path, *, dir_fd=None):
    """Remove a file (same as remove())."""
    _here(dir_fd)
    parent, name, node = _held(path)
    if node.kind == _fs.S_IFDIR:
        raise _fs.error("EISDIR", path)
    del parent.entries[name]
    node.links -= 1
    parent.changed()


remove = unlink


def rmdir(path, *, dir_fd=None):
    """Remove a directory."""
    _here(dir_fd)
    parent, name, node = _held(path)
    if node.kind != _fs.S_IFDIR:
        raise _fs.error("ENOTDIR", path)
    if node is _fs.root or name is None:
        raise _fs.error("EBUSY", path)
    if node.entries or isinstance(node, _fs.Zones):
        raise _fs.error("ENOTEMPTY", path)
    del parent.entries[name]
    parent.links -= 1
    node.links = 0
    parent.changed()


def rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None):
    """Rename a file or directory."""
    _here(src_dir_fd)
    _here(dst_dir_fd)
    try:
        source, old, node = _held(src)
        target, new = _fs.split(_fs.text(dst), dst)
    except OSError as failure:
        code, text = failure.args
        raise OSError(code, text, fspath(src), None, fspath(dst)) from None
    if old is None or new is None:
        raise _fs.error("EBUSY", src, dst)
    _writable(target, dst)
    there = target.get(new)
    if there is node:
        return
    if node.kind == _fs.S_IFDIR:
        above = target
        while above is not _fs.root:
            if above is node:
                raise _fs.error("EINVAL", src, dst)
            above = above.parent
        if there is not None and there.kind != _fs.S_IFDIR:
            raise _fs.error("ENOTDIR", src, dst)
        if there is not None and there.entries:
            raise _fs.error("ENOTEMPTY", src, dst)
    elif there is not None and there.kind == _fs.S_IFDIR:
        raise _fs.error("EISDIR", src, dst)
    del source.entries[old]
    target.entries[new] = node
    if node.kind == _fs.S_IFDIR:
        node.parent = target
    source.changed()
    target.changed()


replace = rename


def link(src, dst, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True):
    """Links are not to be had."""
    raise _denied("links between files")


def symlink(src, dst, target_is_directory=False, *, dir_fd=None):
    """Links are not to be had."""
    raise _denied("links between files")


def readlink(path, *, dir_fd=None):
    """Return a string representing the path to which the symbolic link points: none is one."""
    _node(path)
    raise _fs.error("EINVAL", path)


def listdir(path=None):
    """Return a list containing the names of the files in the directory."""
    node = _fs.cwd if path is None else _node(path)
    if node.kind != _fs.S_IFDIR:
        raise _fs.error("ENOTDIR", path)
    names = node.names()
    return [name.encode("utf-8", "surrogateescape") for name in names] if isinstance(
        path, bytes
    ) else names


class DirEntry:
    """An entry of a directory, as `scandir` yields it."""

    __slots__ = ("name", "path", "_node")

    def __init__(self):
        raise TypeError("cannot create 'posix.DirEntry' instances")

    def __repr__(self):
        return f"<DirEntry {self.name!r}>"

    def __fspath__(self):
        return self.path

    def inode(self):
        return self._node.inode

    def stat(self, *, follow_symlinks=True):
        return _stat_of(self._node)

    def is_dir(self, *, follow_symlinks=True):
        return self._node.kind == _fs.S_IFDIR

    def is_file(self, *, follow_symlinks=True):
        return self._node.kind == _fs.S_IFREG

    def is_symlink(self):
        return False

    def is_junction(self):
        return False

    __class_getitem__ = classmethod(type(list[int]))


class _Scan:
    """The iterator of `scandir`."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._entries = iter(())


_Scan.__name__ = _Scan.__qualname__ = "ScandirIterator"


def scandir(path=None):
    """Return an iterator of DirEntry objects for given path."""
    if path is None:
        path = "."
    node = _node(path)
    if node.kind != _fs.S_IFDIR:
        raise _fs.error("ENOTDIR", path)
    if isinstance(path, int):
        start = ""
    else:
        start = fspath(path)
    slash, binary = "/", isinstance(start, bytes)
    if binary:
        slash = b"/"
    if start and not start.endswith(slash):
        start += slash
    entries = []
    for name in node.names():
        entry = object.__new__(DirEntry)
        entry._node = node.get(name)
        entry.name = name.encode("utf-8", "surrogateescape") if binary else name
        entry.path = start + entry.name
        entries.append(entry)
    return _Scan(entries)


def chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
    """Change the access permissions of a file; they are shown, not enforced."""
    _here(dir_fd)
    node = _node(path)
    node.mode = mode & 0o7777
    node.changed()


def fchmod(fd, mode):
    """Change the access permissions of the file given by file descriptor fd."""
    chmod(fd, mode)


lchmod = chmod


def chown(path, uid, gid, *, dir_fd=None, follow_symlinks=True):
    """Change the owner of a path: there is only one."""
    _node(path)
    if uid not in (-1, _uid) or gid not in (-1, _uid):
        raise _fs.error("EPERM", path)


lchown = fchown = chown


def utime(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True):
    """Set the access and modified time of path."""
    import time

    _here(dir_fd)
    if times is not None and ns is not None:
        raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
    node = _node(path)
    if ns is None:
        now = time.time_ns()
        ns = (now, now) if times is None else tuple(round(t * 1_000_000_000) for t in times)
    if len(ns) != 2:
        raise TypeError("utime: 'times' must be either a tuple of two ints or None")
    node.atime, node.mtime = (int(t) for t in ns)
    node.ctime = time.time_ns()


def statvfs(path):
    """Perform a statvfs system call on the given path."""
    _node(path)
    return statvfs_result((4096, 4096, 16384, 16384, 16384, 65536, 65536, 65536, 0, 255))


fstatvfs = statvfs


def getrandom(size, flags=0):
    """Obtain a series of random bytes."""
    return urandom(size)


GRND_NONBLOCK, GRND_RANDOM = 1, 2


def putenv(name, value):
    """Change or add an environment variable; `os.environ` holds it, nothing else sees it."""


def unsetenv(name):
    """Delete an environment variable."""


def _exit(status):
    """Ends the run."""
    raise SystemExit(status)


del UID
