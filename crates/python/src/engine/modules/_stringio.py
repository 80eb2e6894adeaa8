"""`io.StringIO`.

The interpreter's own counts bytes where characters are meant, so that `read(1)` of `é` fails, and knows nothing of
`newline`. This one holds a list of pieces as long as it is only written to, and one text from when it is read.
"""

import _io

_UNSET = object()


def _index(value):
    if value is None:
        return -1
    try:
        return value.__index__()
    except AttributeError:
        raise TypeError(
            f"argument should be integer or None, not '{type(value).__name__}'"
        ) from None


class StringIO(_io._TextIOBase):
    """Text I/O implementation using an in-memory buffer.

    The initial_value argument sets the value of object.  The newline
    argument is like the one of TextIOWrapper's constructor.
    """

    _closed = True

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._pieces, self._text, self._position = [], "", 0
        self._newline, self._after_cr, self._seen = "\n", False, 0
        self._lines, self._lines_at = None, 0
        return self

    def __init__(self, initial_value="", newline="\n"):
        if newline is not None and not isinstance(newline, str):
            raise TypeError(
                f"StringIO() argument 'newline' must be str or None, not {type(newline).__name__}"
            )
        if newline not in (None, "", "\n", "\r", "\r\n"):
            raise ValueError(f"illegal newline value: {newline!r}")
        if initial_value is not None and not isinstance(initial_value, str):
            raise TypeError(
                f"initial_value must be str or None, not {type(initial_value).__name__}"
            )
        self._pieces, self._text, self._position = [], "", 0
        self._newline, self._after_cr, self._seen = newline, False, 0
        self._lines, self._lines_at = None, 0
        self._closed = False
        if initial_value:
            # A subclass's write is not what the text goes through.
            StringIO.write(self, initial_value)
            self._join()
            self._position = 0

    def _check(self):
        if self._closed:
            raise ValueError("I/O operation on closed file")

    def _join(self):
        """The whole text; there are pieces only while the position is at their end."""
        if self._pieces:
            self._pieces.insert(0, self._text)
            self._text = "".join(self._pieces)
            self._pieces = []
        return self._text

    def _translated(self, text):
        """A text as it is stored, which depends on `newline`."""
        newline = self._newline
        if newline == "\n" or not text:
            return text
        if newline:
            return text.replace("\n", newline)
        # The kinds of line ends, which `newlines` names: 1 \r, 2 \n, 4 \r\n.
        if self._after_cr and text[0] == "\n":
            self._seen |= 4
            text = text[1:] if newline is None else text
            rest = text if newline is None else text[1:]
        else:
            rest = text
        both = rest.count("\r\n")
        if both:
            self._seen |= 4
        if rest.count("\r") > both:
            self._seen |= 1
        if rest.count("\n") > both:
            self._seen |= 2
        self._after_cr = text.endswith("\r")
        if newline is None:
            return text.replace("\r\n", "\n").replace("\r", "\n")
        return text

    def write(self, text, /):
        """Write string to file.

        Returns the number of characters written, which is always equal to
        the length of the string.
        """
        if not isinstance(text, str):
            raise TypeError(f"string argument expected, got '{type(text).__name__}'")
        if self._closed:
            raise ValueError("I/O operation on closed file")
        self._lines = None
        stored = text if self._newline == "\n" else self._translated(text)
        if self._pieces or self._position == len(self._text):
            # An exact string: a subclass could change what it is.
            self._pieces.append(stored if type(stored) is str else str.__str__(stored))
            self._position += len(stored)
            return len(text)
        held = self._text
        start = self._position
        if start > len(held):
            held += "\0" * (start - len(held))
        self._text = held[:start] + stored + held[start + len(stored) :]
        self._position = start + len(stored)
        return len(text)

    def writelines(self, lines, /):
        """Write a list of lines to stream."""
        self._check()
        for line in lines:
            self.write(line)

    def getvalue(self):
        """Retrieve the entire contents of the object."""
        self._check()
        return self._join()

    def read(self, size=-1, /):
        """Read at most size characters, returned as a string.

        If the argument is negative or omitted, read until EOF
        is reached. Return an empty string at EOF.
        """
        size = _index(size)
        self._check()
        text = self._join()
        start = self._position
        if start >= len(text):
            return ""
        part = text[start:] if size < 0 else text[start : start + size]
        self._position += len(part)
        return part

    def readline(self, size=-1, /):
        """Read until newline or EOF.

        Returns an empty string if EOF is hit immediately.
        """
        size = _index(size)
        self._check()
        if not size:
            return ""
        if self._lines is None or self._lines_at != self._position:
            self._lines = self._split()
        if not self._lines:
            return ""
        line = self._lines.pop()
        if 0 < size < len(line):
            self._lines.append(line[size:])
            line = line[:size]
        self._position += len(line)
        self._lines_at = self._position
        return line

    def _split(self):
        """The lines from the position on, the last one first: to look for one at a time takes too long."""
        text = self._join()[self._position :]
        newline = self._newline
        if newline == "":
            # Unlike those of a text, the lines of bytes end nowhere else.
            lines = text.encode("utf-8", "surrogatepass").splitlines(True)
            lines = [line.decode("utf-8", "surrogatepass") for line in lines]
        else:
            newline = newline or "\n"
            *lines, last = text.split(newline)
            lines = [line + newline for line in lines]
            if last:
                lines.append(last)
        lines.reverse()
        return lines

    def readlines(self, hint=-1, /):
        """Return a list of lines from the stream.

        hint can be specified to control the number of lines read: no more
        lines will be read if the total size (in bytes/characters) of all
        lines so far exceeds hint.
        """
        hint = _index(hint)
        lines, length = [], 0
        for line in self:
            lines.append(line)
            length += len(line)
            if 0 < hint <= length:
                break
        return lines

    def __iter__(self):
        self._check()
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def tell(self):
        """Tell the current file position."""
        self._check()
        return self._position

    def seek(self, position, whence=0, /):
        """Change stream position.

        Seek to character offset pos relative to position indicated by whence:
            0  Start of stream (the default).  pos should be >= 0;
            1  Current position - pos must be 0;
            2  End of stream - pos must be 0.
        Returns the new absolute position.
        """
        self._check()
        position = position.__index__() if hasattr(position, "__index__") else _index(position)
        if whence not in (0, 1, 2):
            raise ValueError(f"Invalid whence ({whence}, should be 0, 1 or 2)")
        if whence == 0 and position < 0:
            raise ValueError(f"Negative seek position {position}")
        if whence and position:
            raise OSError("Can't do nonzero cur-relative seeks")
        if whence == 0:
            if position >= 1 << 63:
                raise OverflowError("Python int too large to convert to C ssize_t")
            self._join()
            self._position = position
        elif whence == 2:
            self._position = len(self._join())
        return self._position

    def truncate(self, size=_UNSET, /):
        """Truncate size to pos.

        The pos argument defaults to the current file position, as
        returned by tell().  The current file position is unchanged.
        Returns the new absolute position.
        """
        self._check()
        size = self._position if size is _UNSET or size is None else _index(size)
        if size < 0:
            raise ValueError(f"Negative size value {size}")
        self._text, self._lines = self._join()[:size], None
        return size

    def close(self):
        """Close the IO object.

        Attempting any further operation after the object is closed
        will raise a ValueError.
        """
        self._closed = True
        self._pieces, self._text, self._lines = [], "", None

    @property
    def closed(self):
        return self._closed

    def readable(self):
        """Returns True if the IO object can be read."""
        self._check()
        return True

    def writable(self):
        """Returns True if the IO object can be written."""
        self._check()
        return True

    def seekable(self):
        """Returns True if the IO object can be seeked."""
        self._check()
        return True

    def flush(self):
        """Does nothing: there is nothing below."""
        self._check()

    def isatty(self):
        """A text in memory is no terminal."""
        self._check()
        return False

    @property
    def line_buffering(self):
        self._check()
        return False

    @property
    def newlines(self):
        self._check()
        kinds = [end for bit, end in ((1, "\r"), (2, "\n"), (4, "\r\n")) if self._seen & bit]
        return tuple(kinds) if len(kinds) > 1 else kinds[0] if kinds else None

    @property
    def encoding(self):
        return None

    @property
    def errors(self):
        return None

    def __repr__(self):
        return f"<{type(self).__module__}.{type(self).__qualname__} object at {id(self):#x}>"

    def __getstate__(self):
        self._check()
        own = vars(StringIO())
        more = {name: value for name, value in self.__dict__.items() if name not in own}
        return self._join(), self._newline, self._position, more or None

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) != 4:
            raise TypeError(
                f"{type(self).__name__}.__setstate__ argument should be 4-tuple, "
                f"got {type(state).__name__}"
            )
        text, newline, position, more = state
        StringIO.__init__(self, "", newline)
        self._text, self._position = text, position
        if more:
            self.__dict__.update(more)


StringIO.__module__ = "_io"
