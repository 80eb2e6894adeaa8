"""Files in memory: the tree of directories and files, and the table of descriptors.

What a container has that was just started, and nothing else: `/tmp` (where code starts), `/home`,
`/etc`, `/dev/null` and the time zones. All of it are Python objects, so files count towards the
memory of a run and end with it. `posix` and `_fileio` are what the standard library sees of this.

Bounds: a file has at most FILE_SIZE bytes, a path at most PATH_LENGTH characters, a name
NAME_LENGTH, and a run has at most DESCRIPTORS files open.
"""

import errno as _errno
import time as _time

from _pymcp import write as _print

FILE_SIZE = 1 << 30
PATH_LENGTH = 4096
NAME_LENGTH = 255
DESCRIPTORS = 1024

O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE = 0, 1, 2, 3
O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 0o100, 0o200, 0o1000, 0o2000
O_DIRECTORY = 0o200000

S_IFDIR, S_IFREG, S_IFCHR = 0o040000, 0o100000, 0o020000
SEEK_SET, SEEK_CUR, SEEK_END = 0, 1, 2

_MESSAGES = {
    "EPERM": "Operation not permitted",
    "ENOENT": "No such file or directory",
    "ESRCH": "No such process",
    "EINTR": "Interrupted system call",
    "EIO": "Input/output error",
    "ENOEXEC": "Exec format error",
    "EBADF": "Bad file descriptor",
    "ECHILD": "No child processes",
    "EAGAIN": "Resource temporarily unavailable",
    "ENOMEM": "Cannot allocate memory",
    "EACCES": "Permission denied",
    "EBUSY": "Device or resource busy",
    "EEXIST": "File exists",
    "EXDEV": "Invalid cross-device link",
    "ENOTDIR": "Not a directory",
    "EISDIR": "Is a directory",
    "EINVAL": "Invalid argument",
    "EMFILE": "Too many open files",
    "ENOTTY": "Inappropriate ioctl for device",
    "EFBIG": "File too large",
    "ENOSPC": "No space left on device",
    "ESPIPE": "Illegal seek",
    "EROFS": "Read-only file system",
    "EPIPE": "Broken pipe",
    "EDOM": "Numerical argument out of domain",
    "ERANGE": "Numerical result out of range",
    "ENAMETOOLONG": "File name too long",
    "ENOSYS": "Function not implemented",
    "ENOTEMPTY": "Directory not empty",
    "ELOOP": "Too many levels of symbolic links",
    "EOPNOTSUPP": "Operation not supported",
    "ECONNREFUSED": "Connection refused",
    "ETIMEDOUT": "Connection timed out",
}


def strerror(code):
    """The text of an error number."""
    if not isinstance(code, int):
        raise TypeError(f"'{type(code).__name__}' object cannot be interpreted as an integer")
    if code == 0:
        return "Success"
    name = _errno.errorcode.get(code)
    return _MESSAGES.get(name) or f"Unknown error {code}"


def error(name, path=None, path2=None):
    """The `OSError` of an errno's name, as the system raises it."""
    code = getattr(_errno, name)
    path, path2 = _plain(path), _plain(path2)
    if path is None:
        return OSError(code, _MESSAGES[name])
    if path2 is None:
        return OSError(code, _MESSAGES[name], path)
    return OSError(code, _MESSAGES[name], path, None, path2)


def _plain(path):
    """A path as an error shows it: what `__fspath__` returns."""
    fspath = getattr(type(path), "__fspath__", None)
    return path if fspath is None else fspath(path)


class Node:
    """A directory, a file or a device."""

    __slots__ = ("inode", "mode", "links", "atime", "mtime", "ctime", "birth")
    kind = 0
    _count = 0

    def __init__(self, mode):
        Node._count += 1
        self.inode = Node._count
        self.mode = mode
        self.links = 1
        self.birth = self.atime = self.mtime = self.ctime = _time.time_ns()

    def changed(self):
        self.mtime = self.ctime = _time.time_ns()

    def size(self):
        return 0


class Dir(Node):
    """A directory: names to nodes, in the order in which they were made."""

    __slots__ = ("entries", "parent")
    kind = S_IFDIR

    def __init__(self, parent=None, mode=0o755):
        super().__init__(mode)
        self.entries = {}
        self.parent = self if parent is None else parent

    def get(self, name):
        return self.entries.get(name)

    def names(self):
        return list(self.entries)

    def size(self):
        return 4096


class File(Node):
    """A file: its bytes."""

    __slots__ = ("data",)
    kind = S_IFREG

    def __init__(self, mode=0o644, data=b""):
        super().__init__(mode)
        self.data = bytearray(data)

    def size(self):
        return len(self.data)

    def read(self, start, count):
        if not start and count >= len(self.data):
            return bytes(self.data)
        return bytes(self.data[start : start + count])

    def write(self, start, data):
        end = start + len(data)
        if end > FILE_SIZE:
            raise error("EFBIG")
        held = self.data
        if start > len(held):
            held.extend(bytes(start - len(held)))
        if start == len(held):
            held += data
        else:
            held[start:end] = data
        self.changed()
        return len(data)

    def truncate(self, size):
        if size < 0:
            raise error("EINVAL")
        if size > FILE_SIZE:
            raise error("EFBIG")
        held = self.data
        if size < len(held):
            del held[size:]
        else:
            held.extend(bytes(size - len(held)))
        self.changed()


class Device(Node):
    """`/dev/null`, and what descriptors 0, 1 and 2 are open to."""

    __slots__ = ("output",)
    kind = S_IFCHR

    def __init__(self, output=0):
        super().__init__(0o666)
        self.output = output

    def read(self, start, count):
        return b""

    def write(self, start, data):
        if self.output:
            _print(self.output, bytes(data).decode("utf-8", "replace"))
        return len(data)

    def truncate(self, size):
        raise error("EINVAL")


class Zones(Dir):
    """`/usr/share/zoneinfo`: files that are made when they are opened."""

    __slots__ = ("prefix",)

    def __init__(self, parent=None, prefix=""):
        super().__init__(parent)
        self.prefix = prefix

    def get(self, name):
        import _host

        held = self.entries.get(name)
        if held is None:
            path = self.prefix + name
            data = _host.zone(path)
            if data is not None:
                held = self.entries[name] = File(data=data)
            elif any(zone.startswith(path + "/") for zone in _host.zones()):
                held = self.entries[name] = Zones(self, path + "/")
        return held

    def names(self):
        import _host

        start = len(self.prefix)
        zones = [zone[start:] for zone in _host.zones() if zone.startswith(self.prefix)]
        return sorted({zone.partition("/")[0] for zone in zones})


class Open:
    """An open file: what a descriptor stands for."""

    __slots__ = ("node", "flags", "position", "path", "inheritable")

    def __init__(self, node, flags, path):
        self.node = node
        self.flags = flags
        self.position = 0
        self.path = path
        self.inheritable = False

    def readable(self):
        return self.flags & O_ACCMODE != O_WRONLY

    def writable(self):
        return self.flags & O_ACCMODE != O_RDONLY

    def read(self, count):
        if self.node.kind == S_IFDIR:
            raise error("EISDIR")
        if not self.readable():
            raise error("EBADF")
        data = self.node.read(self.position, count)
        self.position += len(data)
        return data

    def write(self, data):
        if not self.writable():
            raise error("EBADF")
        if self.flags & O_APPEND:
            self.position = self.node.size()
        count = self.node.write(self.position, data)
        self.position += count
        return count

    def seek(self, offset, whence):
        if self.node.kind == S_IFCHR:
            if self.node.output:
                raise error("ESPIPE")
            return 0
        if whence == SEEK_CUR:
            offset += self.position
        elif whence == SEEK_END:
            offset += self.node.size()
        elif whence != SEEK_SET:
            raise error("EINVAL")
        if offset < 0:
            raise error("EINVAL")
        self.position = offset
        return offset


root = Dir()
cwd = root
cwd_path = "/"
mask = 0o022
descriptors = {}


def _build():
    """The tree of an empty container."""
    global cwd, cwd_path
    for path in ("/tmp", "/home", "/etc", "/dev", "/usr", "/usr/share", "/var", "/var/tmp"):
        parent, name = split(path)
        parent.entries[name] = Dir(parent)
    find("/tmp").mode = find("/var/tmp").mode = 0o1777
    find("/dev").entries["null"] = Device()
    share = find("/usr/share")
    share.entries["zoneinfo"] = Zones(share)
    cwd, cwd_path = find("/tmp"), "/tmp"
    for number, flags in ((0, O_RDONLY), (1, O_WRONLY), (2, O_WRONLY)):
        descriptors[number] = Open(Device(number), flags, None)


def begin(now):
    """Makes a tree that was there before a run as old as the run."""
    left = [root]
    while left:
        node = left.pop()
        node.birth = node.atime = node.mtime = node.ctime = now
        if node.kind == S_IFDIR:
            left += node.entries.values()


def text(path, name="path"):
    """A path as `str`; it may be `str`, `bytes` or have `__fspath__`."""
    if not isinstance(path, (str, bytes)):
        fspath = getattr(type(path), "__fspath__", None)
        if fspath is None:
            raise TypeError(
                f"{name} should be string, bytes or os.PathLike, not {type(path).__name__}"
            )
        path = fspath(path)
        if not isinstance(path, (str, bytes)):
            raise TypeError(
                f"expected __fspath__() to return str or bytes, not {type(path).__name__}"
            )
    if isinstance(path, bytes):
        path = path.decode("utf-8", "surrogateescape")
    if "\0" in path:
        raise ValueError("embedded null character")
    return path


def _walk(path, shown, last):
    """The directory and the name of a path's last part, `(node, None)` for a directory itself."""
    if not path:
        raise error("ENOENT", shown)
    if len(path) > PATH_LENGTH:
        raise error("ENAMETOOLONG", shown)
    node = root if path[0] == "/" else cwd
    parts = [part for part in path.split("/") if part and part != "."]
    name = parts.pop() if last and parts and parts[-1] != ".." else None
    for part in parts:
        if node.kind != S_IFDIR:
            raise error("ENOTDIR", shown)
        if len(part) > NAME_LENGTH:
            raise error("ENAMETOOLONG", shown)
        node = node.parent if part == ".." else node.get(part)
        if node is None:
            raise error("ENOENT", shown)
    if name is not None:
        if node.kind != S_IFDIR:
            raise error("ENOTDIR", shown)
        if len(name) > NAME_LENGTH:
            raise error("ENAMETOOLONG", shown)
    elif node.kind != S_IFDIR and path.endswith(("/", "/.")):
        raise error("ENOTDIR", shown)
    return node, name


def split(path, shown=None):
    """The directory that holds a path's last part, and that part's name."""
    return _walk(path, path if shown is None else shown, True)


def find(path, shown=None):
    """The node of a path."""
    return _walk(path, path if shown is None else shown, False)[0]


def absolute(path):
    """A path from the root, without `.` and `..`."""
    if not path.startswith("/"):
        path = cwd_path + "/" + path
    parts = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part and part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def descriptor(number):
    """The open file of a descriptor."""
    opened = descriptors.get(number)
    if opened is None:
        raise error("EBADF")
    return opened


def install(opened):
    """The lowest free descriptor, now for an open file."""
    for number in range(DESCRIPTORS):
        if number not in descriptors:
            descriptors[number] = opened
            return number
    raise error("EMFILE")


def open_node(path, flags, mode, shown):
    """Opens a path as `open(2)` does."""
    parent, name = split(path, shown)
    node = parent if name is None else parent.get(name)
    writing = flags & O_ACCMODE != O_RDONLY
    if node is None:
        if not flags & O_CREAT:
            raise error("ENOENT", shown)
        if path.endswith("/"):
            raise error("EISDIR", shown)
        if isinstance(parent, Zones):
            raise error("EROFS", shown)
        node = parent.entries[name] = File(mode & ~mask & 0o7777)
        parent.changed()
    else:
        if flags & O_CREAT and flags & O_EXCL:
            raise error("EEXIST", shown)
        if node.kind == S_IFDIR:
            if writing or flags & O_CREAT:
                raise error("EISDIR", shown)
        elif flags & O_DIRECTORY or path.endswith("/"):
            raise error("ENOTDIR", shown)
        elif flags & O_TRUNC and writing and node.kind == S_IFREG:
            node.truncate(0)
    return Open(node, flags, shown)


_build()
