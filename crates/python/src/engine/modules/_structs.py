"""Tuples whose items have names, as `os` returns them."""


class Struct(tuple):
    """A tuple whose items have names; the first `_length` of them are the tuple."""

    __slots__ = ()
    _names = ()
    _length = 0

    def __repr__(self):
        kind = type(self)
        items = ", ".join(f"{name}={self[i]!r}" for i, name in enumerate(kind._names[: len(self)]))
        return f"{kind.__module__}.{kind.__name__}({items})"

    def __reduce__(self):
        return type(self), (tuple(self),)

    @property
    def n_fields(self):
        return len(self._names)

    @property
    def n_sequence_fields(self):
        return len(self)

    n_unnamed_fields = 0


def struct(name, module, names):
    """A kind of `Struct`, all of whose items are in the tuple."""
    names = tuple(names.split())
    body = {"_names": names, "__match_args__": names, "__slots__": (), "__module__": module}
    for position, field in enumerate(names):
        body[field] = property(lambda self, position=position: self[position])
    kind = type(name, (Struct,), body)

    def new(cls, values, _fields=None):
        values = tuple(values)
        if len(values) != len(names):
            raise TypeError(
                f"{module}.{name}() takes a {len(names)}-sequence ({len(values)}-sequence given)"
            )
        return tuple.__new__(cls, values)

    kind.__new__ = new
    return kind


uname_result = struct("uname_result", "posix", "sysname nodename release version machine")
times_result = struct(
    "times_result", "posix", "user system children_user children_system elapsed"
)
terminal_size = struct("terminal_size", "os", "columns lines")
sched_param = struct("sched_param", "posix", "sched_priority")


class stat_result(Struct):
    """What `stat` says about a path.

    The ten items of the tuple are what it always was; the times in nanoseconds and fractions of a
    second are attributes.
    """

    _names = __match_args__ = (
        "st_mode",
        "st_ino",
        "st_dev",
        "st_nlink",
        "st_uid",
        "st_gid",
        "st_size",
        "st_atime",
        "st_mtime",
        "st_ctime",
    )
    st_dev, st_blksize, st_rdev = 1, 4096, 0

    def __new__(cls, values, fields=None):
        values = tuple(values)
        if len(values) < 10:
            raise TypeError(
                f"os.stat_result() takes an at least 10-sequence ({len(values)}-sequence given)"
            )
        self = tuple.__new__(cls, values[:10])
        self.st_atime, self.st_mtime, self.st_ctime = values[7:10]
        for name, value in (fields or {}).items():
            setattr(self, name, value)
        return self

    @property
    def st_mode(self):
        return self[0]

    @property
    def st_ino(self):
        return self[1]

    @property
    def st_nlink(self):
        return self[3]

    @property
    def st_uid(self):
        return self[4]

    @property
    def st_gid(self):
        return self[5]

    @property
    def st_size(self):
        return self[6]

    @property
    def st_blocks(self):
        return (self[6] + 511) // 512


stat_result.__module__ = "os"


class statvfs_result(
    struct(
        "statvfs_result",
        "os",
        "f_bsize f_frsize f_blocks f_bfree f_bavail f_files f_ffree f_favail f_flag f_namemax",
    )
):
    f_fsid = 0
