"""`pwd`: the one user that there is."""

from _structs import struct

struct_passwd = struct(
    "struct_passwd", "pwd", "pw_name pw_passwd pw_uid pw_gid pw_gecos pw_dir pw_shell"
)
_USER = struct_passwd(("user", "x", 1000, 1000, "", "/home", ""))


def getpwuid(uid, /):
    """Return the password database entry for the given numeric user ID."""
    if uid != _USER.pw_uid:
        raise KeyError(f"getpwuid(): uid not found: {uid}")
    return _USER


def getpwnam(name, /):
    """Return the password database entry for the given user name."""
    if name != _USER.pw_name:
        raise KeyError(f"getpwnam(): name not found: {name!r}")
    return _USER


def getpwall():
    """Return a list of all available password database entries, in arbitrary order."""
    return [_USER]
