"""What `csv` is made on: dialects, the reader and the writer.

The interpreter's own knows no field over several lines, nor `strict`, and mistakes numbers. This is CPython's
state machine; a line without quotes, which most are, is split at once.
"""

import re as _re

__version__ = "1.0"

QUOTE_MINIMAL, QUOTE_ALL, QUOTE_NONNUMERIC, QUOTE_NONE, QUOTE_STRINGS, QUOTE_NOTNULL = range(6)

_UNSET = object()
_dialects = {}
_limit = 128 * 1024


class Error(Exception):
    pass


Error.__module__ = "_csv"


def _character(name, value, optional):
    """A setting that is one character."""
    if value is None and optional:
        return None
    kind = "a unicode character or None" if optional else "a unicode character"
    if not isinstance(value, str):
        raise TypeError(f'"{name}" must be {kind}, not {type(value).__name__}')
    if len(value) != 1:
        raise TypeError(f'"{name}" must be {kind}, not a string of length {len(value)}')
    return value


class Dialect:
    """CSV dialect

    The Dialect type records CSV dialect options.
    """

    __slots__ = (
        "_delimiter",
        "_doublequote",
        "_escapechar",
        "_lineterminator",
        "_quotechar",
        "_quoting",
        "_skipinitialspace",
        "_strict",
    )

    def __init__(
        self,
        dialect=None,
        delimiter=_UNSET,
        doublequote=_UNSET,
        escapechar=_UNSET,
        lineterminator=_UNSET,
        quotechar=_UNSET,
        quoting=_UNSET,
        skipinitialspace=_UNSET,
        strict=_UNSET,
    ):
        if isinstance(dialect, str):
            dialect = get_dialect(dialect)

        def setting(given, name, default):
            if given is not _UNSET:
                return given
            return default if dialect is None else getattr(dialect, name, default)

        self._delimiter = _character("delimiter", setting(delimiter, "delimiter", ","), False)
        self._doublequote = bool(setting(doublequote, "doublequote", True))
        self._escapechar = _character("escapechar", setting(escapechar, "escapechar", None), True)
        self._lineterminator = setting(lineterminator, "lineterminator", "\r\n")
        quote = setting(quotechar, "quotechar", _UNSET)
        self._quotechar = '"' if quote is _UNSET else _character("quotechar", quote, True)
        style = setting(quoting, "quoting", QUOTE_MINIMAL)
        if type(style) is not int:
            raise TypeError(f'"quoting" must be an integer, not {type(style).__name__}')
        if not QUOTE_MINIMAL <= style <= QUOTE_NOTNULL:
            raise TypeError('bad "quoting" value')
        # Without a character to quote with, nothing is quoted, unless that was asked for.
        if quote is None and setting(quoting, "quoting", None) is None:
            style = QUOTE_NONE
        self._quoting = style
        self._skipinitialspace = bool(setting(skipinitialspace, "skipinitialspace", False))
        self._strict = bool(setting(strict, "strict", False))
        if style != QUOTE_NONE and self._quotechar is None:
            raise TypeError("quotechar must be set if quoting enabled")
        if not isinstance(self._lineterminator, str):
            kind = type(self._lineterminator).__name__
            raise TypeError(f'"lineterminator" must be a string, not {kind}')
        self._validate()

    def _validate(self):
        space = not self._skipinitialspace
        characters = (
            ("delimiter", self._delimiter, True),
            ("escapechar", self._escapechar, space),
            ("quotechar", self._quotechar, space),
        )
        for name, value, may_be_space in characters:
            if value is not None and (value in "\r\n" or (value == " " and not may_be_space)):
                raise ValueError(f"bad {name} value")
            if value is not None and value in self._lineterminator:
                raise ValueError(f"bad {name} or lineterminator value")
        for at, (name, value, _) in enumerate(characters):
            for other_name, other, _ in characters[at + 1 :]:
                if value is not None and value == other:
                    raise ValueError(f"bad {name} or {other_name} value")

    delimiter = property(lambda self: self._delimiter)
    doublequote = property(lambda self: self._doublequote)
    escapechar = property(lambda self: self._escapechar)
    lineterminator = property(lambda self: self._lineterminator)
    quotechar = property(lambda self: self._quotechar)
    quoting = property(lambda self: self._quoting)
    skipinitialspace = property(lambda self: self._skipinitialspace)
    strict = property(lambda self: self._strict)

    def __reduce_ex__(self, protocol):
        raise TypeError(f"cannot pickle {type(self).__name__!r} instances")


Dialect.__module__ = "_csv"


def _dialect(dialect, settings):
    if type(dialect) is Dialect and not settings:
        return dialect
    return Dialect(dialect, **settings)


class Reader:
    """CSV reader

    Reader objects are responsible for reading and parsing tabular data
    in CSV format.
    """

    def __init__(self, lines, dialect, settings):
        self._lines = iter(lines)
        self.dialect = dialect = _dialect(dialect, settings)
        self.line_num = 0
        self._quote = None if dialect.quoting == QUOTE_NONE else dialect.quotechar
        self._numeric = dialect.quoting in (QUOTE_NONNUMERIC, QUOTE_STRINGS)
        self._nulls = dialect.quoting in (QUOTE_STRINGS, QUOTE_NOTNULL)
        ends = "".join(filter(None, (dialect.delimiter, dialect.escapechar, "\r\n")))
        self._end = _re.compile(f"[{_re.escape(ends)}]").search
        quoted = "".join(filter(None, (self._quote, dialect.escapechar)))
        self._quoted_end = _re.compile(f"[{_re.escape(quoted)}]").search if quoted else None

    def __iter__(self):
        return self

    def __next__(self):
        self._fields, self._state = [], "start record"
        self._begin()
        while True:
            try:
                line = next(self._lines)
            except StopIteration:
                if self._length or self._state in ("quoted", "escape in quoted"):
                    if self.dialect.strict:
                        raise Error("unexpected end of data") from None
                    self._save()
                    return self._fields
                raise
            if not isinstance(line, str):
                raise Error(
                    f"iterator should return strings, not {type(line).__name__} "
                    "(the file should be opened in text mode)"
                )
            self.line_num += 1
            if self._state == "start record" and self._split(line):
                return self._fields
            self._parse(line)
            if self._state == "start record":
                return self._fields

    def _split(self, line):
        """The fields of a line that has nothing special, if it is one."""
        dialect = self.dialect
        if line.endswith("\n"):
            line = line[:-1]
        if line.endswith("\r"):
            line = line[:-1]
        if "\r" in line or "\n" in line:
            return False
        for special in (self._quote, dialect.escapechar):
            if special is not None and special in line:
                return False
        if not line:
            return True
        fields = line.split(dialect.delimiter)
        if dialect.skipinitialspace:
            fields = [field.lstrip(" ") for field in fields]
        if len(line) > _limit and any(len(field) > _limit for field in fields):
            raise Error(f"field larger than field limit ({_limit})")
        if self._numeric or self._nulls:
            fields = [self._value(field) for field in fields]
        self._fields = fields
        return True

    def _value(self, field):
        """What a field is that was not quoted."""
        if not field:
            return None if self._nulls else field
        return float(field) if self._numeric else field

    def _begin(self):
        self._parts, self._length, self._unquoted = [], 0, True

    def _add(self, text):
        self._length += len(text)
        if self._length > _limit:
            raise Error(f"field larger than field limit ({_limit})")
        self._parts.append(text)

    def _save(self):
        field = "".join(self._parts)
        self._fields.append(self._value(field) if self._unquoted else field)
        self._begin()

    def _parse(self, line):
        """Takes a line into the record; the state tells whether that is whole then."""
        dialect, quote = self.dialect, self._quote
        delimiter, escape = dialect.delimiter, dialect.escapechar
        state, at, length = self._state, 0, len(line)
        while at <= length:
            # "" stands for the end of the line.
            c = line[at : at + 1]
            at += 1
            end = not c or c == "\r" or c == "\n"
            if state == "start record":
                if not c:
                    break
                if end:
                    state = "after line"
                    continue
                state = "start field"
            if state == "after escaped line":
                if not c:
                    break
                state = "field"
            if state == "start field":
                if end:
                    self._save()
                    state = "after line" if c else "start record"
                elif c == quote:
                    self._unquoted = False
                    state = "quoted"
                elif c == escape:
                    state = "escape"
                elif c == " " and dialect.skipinitialspace:
                    pass
                elif c == delimiter:
                    self._save()
                else:
                    self._add(c)
                    state = "field"
            elif state == "escape":
                self._add(c or "\n")
                state = "after escaped line" if c and end else "field"
            elif state == "field":
                if end:
                    self._save()
                    state = "after line" if c else "start record"
                elif c == escape:
                    state = "escape"
                elif c == delimiter:
                    self._save()
                    state = "start field"
                else:
                    stop = self._end(line, at)
                    stop = stop.start() if stop else length
                    self._add(line[at - 1 : stop])
                    at = stop
            elif state == "quoted":
                if not c:
                    break
                if c == escape:
                    state = "escape in quoted"
                elif c == quote:
                    state = "quote in quoted" if dialect.doublequote else "field"
                else:
                    stop = self._quoted_end(line, at)
                    stop = stop.start() if stop else length
                    self._add(line[at - 1 : stop])
                    at = stop
            elif state == "escape in quoted":
                self._add(c or "\n")
                state = "quoted"
            elif state == "quote in quoted":
                if c == quote:
                    self._add(c)
                    state = "quoted"
                elif c == delimiter:
                    self._save()
                    state = "start field"
                elif end:
                    self._save()
                    state = "after line" if c else "start record"
                elif dialect.strict:
                    raise Error(f"'{delimiter}' expected after '{quote}'")
                else:
                    self._add(c)
                    state = "field"
            elif not c:
                state = "start record"
            elif not end:
                raise Error(
                    "new-line character seen in unquoted field - "
                    "do you need to open the file with newline=''?"
                )
        self._state = state


class Writer:
    """CSV writer

    Writer objects are responsible for generating tabular data
    in CSV format from sequence input.
    """

    def __init__(self, file, dialect, settings):
        write = getattr(file, "write", None)
        if not callable(write):
            raise TypeError('argument 1 must have a "write" method')
        self._write = write
        self.dialect = dialect = _dialect(dialect, settings)
        special = "".join(
            filter(
                None,
                (
                    dialect.delimiter,
                    dialect.escapechar,
                    dialect.quotechar,
                    "\r\n",
                    dialect.lineterminator,
                ),
            )
        )
        self._special = _re.compile(f"[{_re.escape(special)}]")

    def writerow(self, row, /):
        """writerow(iterable)

        Construct and write a CSV record from an iterable of fields.  Non-string
        elements will be converted to string.
        """
        try:
            fields = iter(row)
        except TypeError:
            raise Error(f"iterable expected, not {type(row).__name__}") from None
        dialect = self.dialect
        parts = []
        value = None
        for value in fields:
            parts.append(self._field(value))
        if len(parts) == 1 and not parts[0]:
            if self._unquotable(value):
                raise Error("single empty field record must be quoted")
            parts[0] = dialect.quotechar * 2
        return self._write(dialect.delimiter.join(parts) + dialect.lineterminator)

    def writerows(self, rows, /):
        """writerows(iterable of iterables)

        Construct and write a series of iterables to a csv file.  Non-string
        elements will be converted to string.
        """
        for row in rows:
            self.writerow(row)

    def _unquotable(self, value):
        """Whether an empty field must not be quoted."""
        quoting = self.dialect.quoting
        return quoting == QUOTE_NONE or (
            value is None and quoting in (QUOTE_STRINGS, QUOTE_NOTNULL)
        )

    def _field(self, value):
        dialect = self.dialect
        quoting = dialect.quoting
        if quoting == QUOTE_NONNUMERIC:
            kind = type(value)
            quoted = not any(
                hasattr(kind, name) for name in ("__float__", "__int__", "__index__")
            ) and not isinstance(value, complex)
        elif quoting == QUOTE_ALL:
            quoted = True
        elif quoting == QUOTE_STRINGS:
            quoted = isinstance(value, str)
        elif quoting == QUOTE_NOTNULL:
            quoted = value is not None
        else:
            quoted = False
        text = value if isinstance(value, str) else "" if value is None else str(value)
        if not text:
            if dialect.delimiter == " " and dialect.skipinitialspace:
                if self._unquotable(value):
                    raise Error(
                        "empty field must be quoted if delimiter is a space "
                        "and skipinitialspace is true"
                    )
                quoted = True
        elif self._special.search(text):
            text, needed = self._escaped(text)
            quoted = quoted or needed
        if quoted:
            return f"{dialect.quotechar}{text}{dialect.quotechar}"
        return text

    def _escaped(self, text):
        """A text with what stands for its special characters, and whether it must be quoted."""
        dialect = self.dialect
        escape, quote = dialect.escapechar, dialect.quotechar
        needed = False

        def instead(match):
            nonlocal needed
            c = match[0]
            if dialect.quoting != QUOTE_NONE:
                if c == quote and dialect.doublequote:
                    needed = True
                    return c + c
                if c != quote and c != escape:
                    needed = True
                    return c
            if escape is None:
                raise Error("need to escape, but no escapechar set")
            return escape + c

        return self._special.sub(instead, text), needed


for _kind in (Reader, Writer):
    _kind.__module__ = "_csv"


def reader(iterable, /, dialect=None, **settings):
    """Return a reader object that will process lines from the given iterable."""
    return Reader(iterable, dialect, settings)


def writer(fileobj, /, dialect=None, **settings):
    """Return a writer object that will write user data on the given file object."""
    return Writer(fileobj, dialect, settings)


def register_dialect(name, /, dialect=None, **settings):
    """Create a mapping from a string name to a CSV dialect."""
    if not isinstance(name, str):
        raise TypeError("dialect name must be a string")
    _dialects[name] = _dialect(dialect, settings)


def unregister_dialect(name, /):
    """Delete the name/dialect mapping associated with a string name."""
    try:
        del _dialects[name]
    except (KeyError, TypeError):
        raise Error("unknown dialect") from None


def get_dialect(name, /):
    """Return the dialect instance associated with name."""
    try:
        return _dialects[name]
    except (KeyError, TypeError):
        raise Error("unknown dialect") from None


def list_dialects():
    """Return a list of all known dialect names."""
    return list(_dialects)


def field_size_limit(new_limit=_UNSET, /):
    """Sets an upper limit on parsed fields, and gives the one there was."""
    global _limit
    old = _limit
    if new_limit is not _UNSET:
        if type(new_limit) is not int:
            raise TypeError("limit must be an integer")
        _limit = new_limit
    return old
