"""`FileIO` and `open` over files in memory.

`_io` has neither, as the interpreter has no files. The buffered and the text layers are the
interpreter's own, but for the memory that the former take; this is the raw file below them and the
function that stacks them.
"""

import _io
import _memfs
from _stringio import StringIO

_BUFFER = _io.DEFAULT_BUFFER_SIZE


def _flags(mode):
    """`(flags, reads, writes, appends, creates)` of a mode such as `rb+`."""
    if not isinstance(mode, str):
        raise TypeError(f"invalid mode: {mode}")
    if not set(mode) <= set("xrwab+"):
        raise ValueError(f"invalid mode: {mode}")
    if sum(c in "rwax" for c in mode) != 1 or mode.count("+") > 1:
        raise ValueError(
            "Must have exactly one of create/read/write/append mode and at most one plus"
        )
    plus = "+" in mode
    if "r" in mode:
        flags, reads, writes = 0, True, plus
    else:
        reads, writes = plus, True
        flags = _memfs.O_CREAT
        if "w" in mode:
            flags |= _memfs.O_TRUNC
        elif "x" in mode:
            flags |= _memfs.O_EXCL
        else:
            flags |= _memfs.O_APPEND
    flags |= _memfs.O_RDWR if reads and writes else _memfs.O_RDONLY if reads else _memfs.O_WRONLY
    return flags, reads, writes, "a" in mode, "x" in mode


class FileIO(_io._RawIOBase):
    """Open a file.

    The mode can be 'r' (default), 'w', 'x' or 'a' for reading,
    writing, exclusive creation or appending.  The file will be created if it
    doesn't exist when opened for writing or appending; it will be truncated
    when opened for writing.  A FileExistsError will be raised if it already
    exists when opened for creating. Opening a file for creating implies
    writing so this mode behaves in a similar way to 'w'. Add a '+' to the mode
    to allow simultaneous reading and writing.
    """

    _fd = -1
    _owner = True

    def __init__(self, file, mode="r", closefd=True, opener=None):
        if self._fd >= 0 and self._owner:
            self.close()
        self._fd = -1
        if isinstance(file, float):
            raise TypeError("integer argument expected, got float")
        number = -1
        if isinstance(file, int):
            number = int(file)
            if number < 0:
                raise ValueError("negative file descriptor")
        flags, self._reads, self._writes, self._appends, self._creates = _flags(mode)
        self._owner = True
        if number >= 0:
            opened = _memfs.descriptor(number)
            self._owner = bool(closefd)
        else:
            if not closefd:
                raise ValueError("Cannot use closefd=False with file name")
            path = _memfs.text(file, "file")
            if opener is None:
                opened = _memfs.open_node(path, flags, 0o666, file)
                if opened.node.kind == _memfs.S_IFDIR:
                    raise _memfs.error("EISDIR", file)
                number = _memfs.install(opened)
            else:
                number = opener(file, flags)
                if not isinstance(number, int):
                    raise TypeError("expected integer from opener")
                if number < 0:
                    raise ValueError(f"opener returned {number}")
                opened = _memfs.descriptor(number)
        if opened.node.kind == _memfs.S_IFDIR:
            raise _memfs.error("EISDIR", file)
        self._fd = number
        self.name = file
        self._blksize = _BUFFER
        if self._appends:
            opened.seek(0, 2)

    def __repr__(self):
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        if self.closed:
            return f"<{kind} [closed]>"
        return f"<{kind} name={self.name!r} mode={self.mode!r} closefd={self._owner}>"

    def __reduce_ex__(self, protocol):
        raise TypeError(f"cannot pickle '{type(self).__name__}' object")

    def __del__(self):
        # Without the warning that CPython hides as well by default.
        try:
            self.close()
        except Exception:
            pass

    def _open(self):
        if self._fd < 0:
            raise ValueError("I/O operation on closed file")
        return _memfs.descriptor(self._fd)

    def _check(self, allowed, what):
        opened = self._open()
        if not allowed:
            raise _io.UnsupportedOperation(f"File not open for {what}")
        return opened

    def read(self, size=-1):
        """Read at most size bytes, returned as bytes."""
        if size is None or size < 0:
            return self.readall()
        return self._check(self._reads, "reading").read(size)

    def readall(self):
        """Read all data from the file, returned as bytes."""
        return self._check(self._reads, "reading").read(_memfs.FILE_SIZE)

    def readinto(self, buffer):
        """Same as RawIOBase.readinto()."""
        opened = self._check(self._reads, "reading")
        view = memoryview(buffer).cast("B")
        data = opened.read(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data):
        """Write bytes to the file, return the number written."""
        opened = self._check(self._writes, "writing")
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        if not isinstance(data, (bytes, bytearray)):
            data = bytes(memoryview(data))
        return opened.write(data)

    def seek(self, offset, whence=0):
        """Move to new file position and return it."""
        if isinstance(offset, float):
            raise TypeError("'float' object cannot be interpreted as an integer")
        return self._open().seek(offset, whence)

    def tell(self):
        """Current file position."""
        return self._open().seek(0, 1)

    def truncate(self, size=None):
        """Truncate the file to at most size bytes, the current position by default."""
        opened = self._check(self._writes, "writing")
        if size is None:
            size = opened.position
        opened.node.truncate(size)
        return size

    def close(self):
        """Close the file."""
        if self._fd < 0:
            return
        try:
            super().close()
        finally:
            number, self._fd = self._fd, -1
            if self._owner:
                _memfs.descriptors.pop(number, None)

    @property
    def closed(self):
        """True if the file descriptor has been closed."""
        return self._fd < 0

    @property
    def closefd(self):
        """True if the file descriptor will be closed by close()."""
        return self._owner

    @property
    def mode(self):
        """String giving the file mode."""
        if self._creates:
            return "xb+" if self._reads else "xb"
        if self._appends:
            return "ab+" if self._reads else "ab"
        if self._reads:
            return "rb+" if self._writes else "rb"
        return "wb"

    def seekable(self):
        """True if file supports random-access."""
        node = self._open().node
        return node.kind == _memfs.S_IFREG or not node.output

    def readable(self):
        """True if file was opened in a read mode."""
        self._open()
        return self._reads

    def writable(self):
        """True if file was opened in a write mode."""
        self._open()
        return self._writes

    def fileno(self):
        """Return the underlying file descriptor (an integer)."""
        self._open()
        return self._fd

    def isatty(self):
        """True if the file is connected to a TTY device: never."""
        self._open()
        return False


FileIO.__module__ = "_io"

# A buffer, or what is read at once of something that is no file, has at most so many bytes.
_SIZE = _memfs.FILE_SIZE


def _buffer(size):
    """The size of a buffer; the interpreter takes memory for it whatever it is."""
    if isinstance(size, int) and size > _SIZE:
        raise MemoryError
    return size


def _shown(stream):
    kind = f"{type(stream).__module__}.{type(stream).__qualname__}"
    try:
        return f"<{kind} name={stream.name!r}>"
    except (AttributeError, ValueError):
        return f"<{kind}>"


class _Bounded:
    """Reads without taking memory for more than there is to read."""

    __slots__ = ()

    def __init__(self, raw, buffer_size=_BUFFER):
        super().__init__(raw, _buffer(buffer_size))

    def read(self, size=-1, /):
        """Read and return up to size bytes, all there is if size is negative or None."""
        return super().read(self._bound(size))

    def read1(self, size=-1, /):
        """Read and return up to size bytes, with at most one call of the raw stream."""
        return super().read1(self._bound(size))

    def _bound(self, size):
        if isinstance(size, int) and size > _BUFFER:
            raw = self.raw
            if isinstance(raw, FileIO) and not raw.closed:
                size = min(size, max(_memfs.descriptor(raw.fileno()).node.size(), _BUFFER))
            return _buffer(size)
        return size


class BufferedReader(_Bounded, _io.BufferedReader):
    __doc__ = _io.BufferedReader.__doc__


class BufferedRandom(_Bounded, _io.BufferedRandom):
    __doc__ = _io.BufferedRandom.__doc__


class BufferedWriter(_io.BufferedWriter):
    __doc__ = _io.BufferedWriter.__doc__

    def __init__(self, raw, buffer_size=_BUFFER):
        super().__init__(raw, _buffer(buffer_size))


for _kind in (BufferedReader, BufferedRandom, BufferedWriter):
    _kind.__module__ = "_io"
    _kind.__repr__ = _shown


def open(
    file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None
):
    """Open file and return a stream.  Raise OSError upon failure.

    Files are in memory: they exist as long as the run.
    """
    if not isinstance(mode, str):
        raise TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
    if not isinstance(buffering, int):
        raise TypeError(f"'{type(buffering).__name__}' object cannot be interpreted as an integer")
    if encoding is not None and not isinstance(encoding, str):
        raise TypeError(
            f"open() argument 'encoding' must be str or None, not {type(encoding).__name__}"
        )
    if errors is not None and not isinstance(errors, str):
        raise TypeError(
            f"open() argument 'errors' must be str or None, not {type(errors).__name__}"
        )
    if not isinstance(file, int):
        file = file if isinstance(file, (str, bytes)) else _fspath(file)
    kinds = set(mode)
    if kinds - set("axrwb+t") or len(mode) > len(kinds):
        raise ValueError(f"invalid mode: {mode!r}")
    binary, plus = "b" in kinds, "+" in kinds
    if "t" in kinds and binary:
        raise ValueError("can't have text and binary mode at once")
    if len(kinds & set("rwax")) != 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    if binary:
        for value, name in ((encoding, "encoding"), (errors, "errors"), (newline, "newline")):
            if value is not None:
                article = "a" if name == "newline" else "an"
                raise ValueError(f"binary mode doesn't take {article} {name} argument")
        if buffering == 1:
            import warnings

            warnings.warn(
                "line buffering (buffering=1) isn't supported in binary mode, "
                "the default buffer size will be used",
                RuntimeWarning,
                2,
            )
    base = "".join(kind for kind in "rwax" if kind in kinds)
    raw = FileIO(file, base + "b" * binary + "+" * plus, closefd, opener)
    stream = raw
    try:
        if buffering == 0:
            if binary:
                return raw
            raise ValueError("can't have unbuffered text I/O")
        size = _BUFFER if buffering in (-1, 1) else buffering
        if size < 0:
            raise ValueError("invalid buffering size")
        if plus:
            stream = BufferedRandom(raw, size)
        elif "r" in kinds:
            stream = BufferedReader(raw, size)
        else:
            stream = BufferedWriter(raw, size)
        if binary:
            return stream
        if encoding is None or encoding == "locale":
            encoding = "UTF-8"
        text = _io.TextIOWrapper(stream, encoding, errors, newline, buffering == 1)
        stream = text
        text.mode = mode
        return text
    except BaseException:
        stream.close()
        raise


def _fspath(file):
    fspath = getattr(type(file), "__fspath__", None)
    if fspath is None:
        raise TypeError(
            f"expected str, bytes or os.PathLike object, not {type(file).__name__}"
        )
    return fspath(file)


def open_code(path):
    """Open a file that holds code: like any other."""
    if not isinstance(path, str):
        raise TypeError(f"open_code() argument 'path' must be str, not {type(path).__name__}")
    return open(path, "rb")


def install():
    """Gives `_io` what it lacks, or has otherwise; before anything imports `io`."""
    _io.FileIO = FileIO
    _io.StringIO = StringIO
    _io.BufferedReader, _io.BufferedWriter = BufferedReader, BufferedWriter
    _io.BufferedRandom = BufferedRandom
    _io.open = open
    _io.open_code = open_code
    open.__module__ = open_code.__module__ = "_io"
