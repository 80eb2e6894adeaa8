"""The errors of what there is not: each says so in one sentence."""

_PLURAL = "{} are not available here"
_WAYS = {
    "processes": "this Python runs alone, so use a function or a module instead",
    "threads": "call the function directly, or use asyncio",
    "network connections": "only what is in `inputs` and in the code can be used",
    "signals": "a run ends at its time limit by itself",
}


def denied(what):
    """`PermissionError` for what does not exist, in the plural."""
    import errno

    way = _WAYS.get(what)
    text = _PLURAL.format(what) + (f": {way}" if way else "")
    return PermissionError(errno.EPERM, text)


def refuse(name, what, doc=None):
    """A function that raises it."""

    def refused(*args, **kwargs):
        raise denied(what)

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = doc or f"Not available here: {what}."
    return refused
