"""Where `zoneinfo` finds time zones: `/usr/share/zoneinfo`, whose files are in memory."""

TZPATH = ("/usr/share/zoneinfo",)


class InvalidTZPathWarning(RuntimeWarning):
    """Warning raised if an invalid path is specified in PYTHONTZPATH."""


def reset_tzpath(to=None):
    """Sets where time zones are looked for."""
    global TZPATH
    if isinstance(to, (str, bytes)):
        raise TypeError(f"tzpath must be a list or tuple, not {type(to)}: {to!r}")
    TZPATH = ("/usr/share/zoneinfo",) if to is None else tuple(to)


def find_tzfile(key):
    """The path of a time zone's file, `None` if there is none."""
    import os

    if os.path.isabs(key):
        raise ValueError(f"ZoneInfo keys may not be absolute paths, got: {key}")
    if os.path.normpath(key) != key or key.startswith(".."):
        raise ValueError(
            f"ZoneInfo keys must be normalized relative paths, got: {key}"
        )
    for path in TZPATH:
        file = os.path.join(path, key)
        if os.path.isfile(file):
            return file
    return None


def available_timezones():
    """The names of all time zones."""
    import _host

    return set(_host.zones())
