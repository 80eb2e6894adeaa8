"""`select`: waiting without anything to wait for, so that `selectors` can be imported."""

from _denied import denied as _denied

error = OSError


def select(rlist, wlist, xlist, timeout=None, /):
    """Wait until one or more file descriptors are ready; files in memory always are."""
    for things in (rlist, wlist, xlist):
        for thing in things:
            if not isinstance(thing, int):
                thing.fileno()
    if any((rlist, wlist, xlist)):
        return list(rlist), list(wlist), []
    if timeout is None:
        raise _denied("events from outside")
    import time

    time.sleep(timeout)
    return [], [], []
