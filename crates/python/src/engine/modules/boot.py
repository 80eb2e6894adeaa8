"""What the engine needs of Python itself; run once, before any code."""

import _io


def make_streams(writers):
    """sys.stdout and sys.stderr, whose text goes to the two functions."""

    class Buffer(_io._BufferedIOBase):
        def __init__(self, stream):
            self._stream = stream

        def writable(self):
            return True

        def write(self, data):
            data = bytes(data)
            self._stream.write(data.decode("utf-8", "replace"))
            return len(data)

    class Stream(_io._TextIOBase):
        encoding = "utf-8"
        errors = "strict"
        newlines = None
        line_buffering = True
        write_through = True
        mode = "w"

        def writable(self):
            return True

        def isatty(self):
            return False

        def fileno(self):
            return self.number

        def flush(self):
            pass

        def close(self):
            pass

        def writelines(self, lines):
            for line in lines:
                self.write(line)

        def reconfigure(self, **options):
            pass

        @property
        def buffer(self):
            return Buffer(self)

        def __repr__(self):
            return f"<_io.TextIOWrapper name={self.name!r} mode='w' encoding='utf-8'>"

    class Out(Stream):
        name = "<stdout>"
        number = 1
        write = writers[0]

    class Err(Stream):
        name = "<stderr>"
        number = 2
        errors = "backslashreplace"
        write = writers[1]

    for kind in (Out, Err):
        kind.__name__ = kind.__qualname__ = "TextIOWrapper"
        kind.__module__ = "_io"
    return Out(), Err()


def remember(script, source, ours):
    """Lets tracebacks show the lines of the script."""
    import linecache

    linecache.cache[script] = (len(source), None, source.splitlines(True), script)


def hide(stack, script, ours):
    """Removes the frames that are not the script's doing: those that started it, our modules', and
    those of imports, which Python leaves out as well."""
    first = next((at for at, frame in enumerate(stack) if frame.filename == script), 0)
    stack[:] = [
        frame
        for at, frame in enumerate(stack)
        if at >= first and (frame.filename == script or frame.filename not in ours)
    ]


def describe(error, script, ours):
    """An exception as Python prints one that nothing caught."""
    import traceback

    whole = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    if error.__traceback__ is None and isinstance(error, SyntaxError):
        return "".join(whole.format_exception_only())
    seen = set()
    left = [whole]
    while left:
        part = left.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        if part.stack is not None:
            hide(part.stack, script, ours)
        left += [part.__cause__, part.__context__, *(part.exceptions or ())]
    return "".join(whole.format())


def describe_stack(script, ours):
    """Where the code is now, as the head of a traceback."""
    import sys
    import traceback

    stack = traceback.StackSummary.extract(traceback.walk_stack(sys._getframe(1)))
    stack.reverse()
    hide(stack, script, ours)
    return "".join(["Traceback (most recent call last):\n", *stack.format()])
