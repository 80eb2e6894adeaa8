"""`asyncio`'s event loop where there is nothing to wait for but time.

Tasks, timers and everything made of them work as ever. Functions that would go to a thread
(`asyncio.to_thread`, `loop.run_in_executor`) run at once; connections, processes and signals raise
`PermissionError`. A loop in which nothing can happen any more raises `RuntimeError` instead of
waiting forever.
"""

import time

from _denied import denied as _denied

from . import base_events, events

__all__ = ("SelectorEventLoop", "EventLoop")

_END = "deadlock: every task waits for something that will not happen"


class _Sleeper:
    """A selector without anything to select from."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError(_END)
        if timeout > 0:
            time.sleep(timeout)
        return ()

    def get_map(self):
        return {}

    def close(self):
        pass


class EventLoop(base_events.BaseEventLoop):
    """An event loop of tasks and timers."""

    def __init__(self, selector=None):
        super().__init__()
        self._selector = _Sleeper()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass

    def run_in_executor(self, executor, func, *args):
        """Calls the function at once; the future that is returned is done."""
        self._check_closed()
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as failure:
            if isinstance(failure, StopIteration):
                failure = RuntimeError("StopIteration interacts badly with generators")
            future.set_exception(failure)
        return future

    async def shutdown_default_executor(self, timeout=None):
        """Ends the threads of the default executor: there are none."""
        self._executor_shutdown_called = True


def _refuse(names, what, asynchronous):
    def refused(self, *args, **kwargs):
        raise _denied(what)

    async def refused_later(self, *args, **kwargs):
        raise _denied(what)

    for name in names.split():
        setattr(EventLoop, name, refused_later if asynchronous else refused)


_refuse(
    "create_connection create_server create_datagram_endpoint create_unix_connection"
    " create_unix_server connect_accepted_socket start_tls sendfile getaddrinfo getnameinfo"
    " sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto"
    " sock_connect sock_accept sock_sendfile",
    "network connections",
    True,
)
_refuse("subprocess_exec subprocess_shell", "processes", True)
_refuse("connect_read_pipe connect_write_pipe", "pipes", True)
_refuse("add_reader add_writer remove_reader remove_writer", "network connections", False)
_refuse("add_signal_handler remove_signal_handler", "signals", False)

SelectorEventLoop = EventLoop


class _DefaultEventLoopPolicy(events._BaseDefaultEventLoopPolicy):
    """The policy with that event loop."""

    _loop_factory = EventLoop
