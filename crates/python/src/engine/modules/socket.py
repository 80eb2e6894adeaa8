"""`socket`: the names that others import, and no network behind them.

Making a socket, connecting or looking up a host raises `PermissionError`.
"""

import struct as _struct
from enum import IntEnum, IntFlag

from _denied import denied as _denied
from _denied import refuse as _refuse

AddressFamily = IntEnum("AddressFamily", "AF_UNSPEC AF_UNIX AF_INET", start=0, module=__name__)
AF_UNSPEC, AF_INET = AddressFamily.AF_UNSPEC, AddressFamily.AF_INET
AF_INET6 = 10
SocketKind = IntEnum("SocketKind", "SOCK_STREAM SOCK_DGRAM SOCK_RAW", module=__name__)
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW = SocketKind
MsgFlag = IntFlag("MsgFlag", {"MSG_OOB": 1, "MSG_PEEK": 2, "MSG_WAITALL": 256}, module=__name__)
MSG_OOB, MSG_PEEK, MSG_WAITALL = MsgFlag
AddressInfo = IntFlag(
    "AddressInfo", {"AI_PASSIVE": 1, "AI_CANONNAME": 2, "AI_NUMERICHOST": 4}, module=__name__
)
AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST = AddressInfo
IPPROTO_IP, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6, IPPROTO_RAW = 0, 1, 6, 17, 41, 255
SOL_SOCKET, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_BROADCAST, SO_KEEPALIVE, SO_REUSEPORT = (
    1, 2, 3, 4, 6, 9, 15,
)  # fmt: skip
SO_SNDBUF, SO_RCVBUF = 7, 8
TCP_NODELAY, IPV6_V6ONLY, SOMAXCONN = 1, 26, 4096
SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2
INADDR_ANY, INADDR_LOOPBACK, INADDR_BROADCAST = 0, 0x7F000001, 0xFFFFFFFF
NI_NUMERICHOST, NI_NUMERICSERV = 1, 2
EAI_NONAME = -2
has_ipv6 = False
_GLOBAL_DEFAULT_TIMEOUT = object()
_timeout = None

error = OSError
timeout = TimeoutError


class gaierror(OSError):
    """An address that can't be looked up."""


class herror(OSError):
    """A host that can't be looked up."""


class socket:
    """A socket: there are none."""

    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        raise _denied("network connections")


SocketType = socket


def gethostname():
    """Return the current host name."""
    return "localhost"


def getfqdn(name=""):
    """Get fully qualified domain name from name."""
    return name or "localhost"


def getdefaulttimeout():
    """Returns the default timeout in seconds (float) for new socket objects."""
    return _timeout


def setdefaulttimeout(timeout):
    """Set the default timeout in seconds (float) for new socket objects."""
    global _timeout
    _timeout = None if timeout is None else float(timeout)


def htons(x, /):
    """Convert a 16-bit unsigned integer from host to network byte order."""
    return _struct.unpack("=H", _struct.pack("!H", x))[0]


def htonl(x, /):
    """Convert a 32-bit unsigned integer from host to network byte order."""
    return _struct.unpack("=I", _struct.pack("!I", x))[0]


ntohs, ntohl = htons, htonl


def inet_aton(ip_addr, /):
    """Convert an IP address in string format (123.45.67.89) to the 32-bit packed binary format."""
    return inet_pton(AF_INET, ip_addr)


def inet_ntoa(packed_ip, /):
    """Convert an IP address from 32-bit packed binary format to string format."""
    return inet_ntop(AF_INET, packed_ip)


def inet_pton(address_family, ip_string, /):
    """Convert an IP address from string format to a packed string."""
    import ipaddress

    kind = {AF_INET: ipaddress.IPv4Address, AF_INET6: ipaddress.IPv6Address}[address_family]
    try:
        return kind(ip_string).packed
    except ValueError:
        raise OSError("illegal IP address string passed to inet_pton") from None


def inet_ntop(address_family, packed_ip, /):
    """Convert a packed IP address of the given family to string format."""
    import ipaddress

    kind = {AF_INET: ipaddress.IPv4Address, AF_INET6: ipaddress.IPv6Address}[address_family]
    try:
        return str(kind(bytes(packed_ip)))
    except ValueError:
        raise ValueError("invalid length of packed IP address string") from None


for _name in (
    "create_connection create_server socketpair fromfd getaddrinfo getnameinfo gethostbyname"
    " gethostbyname_ex gethostbyaddr getservbyname getservbyport getprotobyname if_nameindex"
    " has_dualstack_ipv6 send_fds recv_fds"
).split():
    globals()[_name] = _refuse(_name, "network connections")
