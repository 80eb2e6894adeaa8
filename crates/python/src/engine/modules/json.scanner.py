"""JSON token scanner.

The interpreter's scanner takes what only looks like a number, `01` or `1.`, and ends the process at `1-2`.
Here it leaves numbers to functions that know them, and a document that has one of that kind is scanned anew by
the scanner in Python, which is exact. A document that is nested too deep for it is refused.
"""

import re

from _json import make_scanner as _native

__all__ = ["make_scanner"]

# So deep the interpreter's scanner certainly gets.
DEPTH = 20_000
# That many brackets inside out are matched in search of the depth.
_ROUNDS = 64

NUMBER_RE = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class _NoNumber(Exception):
    """Something is no number that was taken for one."""


def py_make_scanner(context):
    """The scanner of the standard library for where there is none in C."""
    parse_object = context.parse_object
    parse_array = context.parse_array
    parse_string = context.parse_string
    match_number = NUMBER_RE.match
    strict = context.strict
    parse_float = context.parse_float
    parse_int = context.parse_int
    parse_constant = context.parse_constant
    object_hook = context.object_hook
    object_pairs_hook = context.object_pairs_hook
    memo = context.memo

    def _scan_once(string, idx):
        try:
            nextchar = string[idx]
        except IndexError:
            raise StopIteration(idx) from None
        if nextchar == '"':
            return parse_string(string, idx + 1, strict)
        if nextchar == "{":
            return parse_object(
                (string, idx + 1), strict, _scan_once, object_hook, object_pairs_hook, memo
            )
        if nextchar == "[":
            return parse_array((string, idx + 1), _scan_once)
        if nextchar == "n" and string.startswith("null", idx):
            return None, idx + 4
        if nextchar == "t" and string.startswith("true", idx):
            return True, idx + 4
        if nextchar == "f" and string.startswith("false", idx):
            return False, idx + 5
        m = match_number(string, idx)
        if m is not None:
            integer, frac, exp = m.groups()
            if frac or exp:
                return parse_float(integer + (frac or "") + (exp or "")), m.end()
            return parse_int(integer), m.end()
        for constant in ("NaN", "Infinity", "-Infinity"):
            if string.startswith(constant, idx):
                return parse_constant(constant), idx + len(constant)
        raise StopIteration(idx)

    def scan_once(string, idx):
        try:
            return _scan_once(string, idx)
        finally:
            memo.clear()

    return scan_once


def _too_deep(string):
    """Whether a document may be nested deeper than DEPTH."""
    if string.count("[") + string.count("{") <= DEPTH:
        return False
    brackets = string.encode("utf-8", "surrogatepass").translate(None, _NO_BRACKETS)
    for _ in range(_ROUNDS):
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) <= DEPTH or len(left) == len(brackets):
            return len(left) > DEPTH
        brackets = left
    return True


class _Context:
    """What the interpreter's scanner asks of a decoder, with functions for numbers that are exact."""

    def __init__(self, context):
        self.strict = context.strict
        self.object_hook = context.object_hook
        self.object_pairs_hook = context.object_pairs_hook
        self.parse_constant = context.parse_constant
        parse_int, parse_float = context.parse_int, context.parse_float
        number = NUMBER_RE.fullmatch

        def exact_int(text):
            if (text[0] > "0" and text.isdigit()) or number(text):
                return parse_int(text)
            raise _NoNumber

        def exact_float(text):
            if number(text):
                return parse_float(text)
            raise _NoNumber

        self.parse_int, self.parse_float = exact_int, exact_float


def c_make_scanner(context):
    """The interpreter's scanner, and where a document is odd the one in Python."""
    fast = _native(_Context(context))

    def scan_once(string, idx):
        if _too_deep(string):
            raise RecursionError("maximum recursion depth exceeded while decoding a JSON document")
        try:
            return fast(string, idx)
        except (_NoNumber, UnicodeEncodeError):
            pass
        return py_make_scanner(context)(string, idx)

    return scan_once


make_scanner = c_make_scanner
