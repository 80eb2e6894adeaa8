"""What the interpreter runs once after it started, before any other import.

Puts the modules of the host that isn't there into place, and mends builtins. What this leaves
behind is open to the code that runs: none of it leads anywhere but to the run's own objects.
"""

import builtins
import sys


def _system():
    """An operating system in name: files, descriptors, a platform."""
    sys.builtin_module_names = tuple(sorted({*sys.builtin_module_names, "posix"}))
    sys.platform = "linux"
    sys._stdlib_dir = None
    sys.executable = sys._base_executable = ""
    sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = "/usr"
    sys.path[:] = []
    sys.dont_write_bytecode = True
    if not hasattr(sys, "_get_cpu_count_config"):
        sys._get_cpu_count_config = lambda: -1

    import _fileio
    import _io

    _fileio.install()
    builtins.open = _io.open
    sys.stdin = sys.__stdin__ = _io.open(0, closefd=False)
    sys.stdin.buffer.raw.name = "<stdin>"


def _builtins():
    """Builtins that the interpreter has otherwise, or not at all."""
    import _host

    def input(prompt="", /):
        """Read a string from standard input: here it is always at its end."""
        sys.stdout.write(str(prompt))
        raise EOFError(
            "EOF when reading a line: there is nobody to ask here, "
            "so put values in `inputs` or in the code"
        )

    class Quitter:
        def __init__(self, name):
            self.name = name

        def __repr__(self):
            return f"Use {self.name}() to end the run"

        def __call__(self, code=None):
            raise SystemExit(code)

    class Helper:
        def __repr__(self):
            return "Type help(object) for help about object."

        def __call__(self, *args):
            import pydoc

            return pydoc.Helper(output=sys.stdout)(*args) if args else print(self)

    builtins.input = input
    builtins.round = _host.round
    builtins.exit, builtins.quit = Quitter("exit"), Quitter("quit")
    builtins.help = Helper()
    for thing in (input, Quitter, Helper):
        thing.__module__ = "builtins" if thing is input else "_sitebuiltins"
        thing.__qualname__ = thing.__name__


def _time():
    """`strftime` takes the offset of a time from that time; the interpreter writes +0000."""
    import time

    native = time.strftime

    def strftime(format, *times):
        offset = getattr(times[0], "tm_gmtoff", None) if times else None
        if offset and "%z" in format:
            minutes = abs(offset) // 60
            zone = f"{'-' if offset < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"
            format = "%%".join(part.replace("%z", zone) for part in format.split("%%"))
        return native(format, *times)

    strftime.__doc__ = native.__doc__
    strftime.__module__ = "time"
    strftime.__qualname__ = "strftime"
    time.strftime = strftime


def _warnings():
    """The interpreter warns of its own way to pass exceptions through `await`."""
    import _warnings

    text = "the (type, val, tb) signature of throw() is deprecated, use throw(val) instead"
    _warnings.filters.insert(0, ("ignore", text, DeprecationWarning, None, 0))


def _mend_re(re):
    """What `re` lacks: a function that `Match.expand` calls."""

    def expand(pattern, match, template):
        """The text of a template."""
        parts = re._parser.parse_template(template, pattern)
        empty = parts[0][:0]
        parts[1::2] = [match.group(group) or empty for group in parts[1::2]]
        return empty.join(parts)

    re._expand = expand


def _mend_zlib(zlib):
    native = zlib.decompress

    def decompress(data, /, wbits=zlib.MAX_WBITS, bufsize=zlib.DEF_BUF_SIZE):
        # The interpreter takes memory for the buffer, whatever its size is.
        return native(data, wbits, min(bufsize, 1 << 20))

    decompress.__module__, decompress.__qualname__ = "zlib", "decompress"
    decompress.__doc__ = native.__doc__
    zlib.decompress = decompress


def _mend_datetime(_pydatetime):
    class IsoCalendarDate(_pydatetime._IsoCalendarDate):
        __slots__ = ()

        def __repr__(self):
            return f"datetime.{super().__repr__()}"

    IsoCalendarDate.__module__, IsoCalendarDate.__qualname__ = "datetime", "IsoCalendarDate"
    _pydatetime._IsoCalendarDate = IsoCalendarDate


def _mend_decimal(_pydecimal):
    """Flags and traps are True and False, as those of the native module."""

    class SignalDict(dict):
        def __setitem__(self, signal, value):
            super().__setitem__(signal, bool(value))

    context = _pydecimal.Context
    native = context._set_signal_dict

    def _set_signal_dict(self, name, signals):
        native(self, name, signals)
        object.__setattr__(self, name, SignalDict((signal, bool(on)) for signal, on in signals.items()))

    context._set_signal_dict = _set_signal_dict
    for ready in (_pydecimal.DefaultContext, _pydecimal.BasicContext, _pydecimal.ExtendedContext):
        ready.flags, ready.traps = ready.flags, ready.traps


def _mend_traceback(traceback):
    """A frame is looked at once, however often it is there: its carets take a parser, and a recursion has a thousand."""
    plain = traceback.StackSummary.format_frame_summary

    def format_frame_summary(self, frame, **options):
        if frame.locals:
            return plain(self, frame, **options)
        place = (frame.filename, frame.lineno, frame.end_lineno, frame.colno, frame.end_colno, frame.name)
        known = vars(self).setdefault("_known", {})
        if place not in known:
            known[place] = plain(self, frame, **options)
        return known[place]

    code = format_frame_summary.__code__.replace(co_filename=plain.__code__.co_filename)
    format_frame_summary.__code__ = code
    traceback.StackSummary.format_frame_summary = format_frame_summary


# What is done to modules of the library once they are imported.
_MENDS = {
    "re": _mend_re,
    "traceback": _mend_traceback,
    "zlib": _mend_zlib,
    "_pydatetime": _mend_datetime,
    "_pydecimal": _mend_decimal,
}


def _imports():
    """An import that fails says what can be imported; some modules are mended."""
    import _frozen_importlib as importlib

    # What is frozen comes before what is built in: some of the latter is mended by our modules.
    sys.meta_path.reverse()
    load = importlib._find_and_load_unlocked
    mends = dict(_MENDS)
    for name in set(mends).intersection(sys.modules):
        mends.pop(name)(sys.modules[name])

    def find_and_load_unlocked(name, import_):
        try:
            module = load(name, import_)
            mend = mends.pop(name, None)
            if mend is not None:
                mend(module)
            return module
        except ModuleNotFoundError as failure:
            if failure.name == name and failure.args == (f"No module named {name!r}",):
                import _sandbox

                failure.__init__(_sandbox.hint(name), name=name)
            raise

    # Named as its neighbours are, whose frames tracebacks leave out.
    code = find_and_load_unlocked.__code__.replace(co_filename=load.__code__.co_filename)
    find_and_load_unlocked.__code__ = code
    importlib._find_and_load_unlocked = find_and_load_unlocked

    # Modules that a run writes to its own files.
    importlib._install_external_importers()
    sys.path.append("")


_system()
_builtins()
_time()
_warnings()
_imports()
