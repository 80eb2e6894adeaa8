"""`ssl`: the names that others import; a connection raises `PermissionError`."""

from _denied import denied as _denied
from _denied import refuse as _refuse

CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2
PROTOCOL_TLS, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 2, 16, 17
OPENSSL_VERSION = "none"
HAS_SNI = HAS_ALPN = HAS_TLSv1_3 = False


class SSLError(OSError):
    """An error of a connection."""


class SSLZeroReturnError(SSLError):
    """A connection that was closed."""


class SSLWantReadError(SSLError):
    """A connection that must be read."""


class SSLWantWriteError(SSLError):
    """A connection that must be written."""


class SSLSyscallError(SSLError):
    """A system call that failed."""


class SSLEOFError(SSLError):
    """A connection that ended."""


class SSLCertVerificationError(SSLError, ValueError):
    """A certificate that is not to be trusted."""


CertificateError = SSLCertVerificationError


class SSLContext:
    """Settings of connections: there are none."""

    def __init__(self, *args, **kwargs):
        raise _denied("network connections")


SSLSocket = type("SSLSocket", (SSLContext,), {"__module__": __name__})
SSLObject = type("SSLObject", (SSLContext,), {"__module__": __name__})
MemoryBIO = type("MemoryBIO", (SSLContext,), {"__module__": __name__})

for _name in (
    "create_default_context _create_unverified_context _create_default_https_context"
    " _create_stdlib_context get_server_certificate wrap_socket"
).split():
    globals()[_name] = _refuse(_name, "network connections")
