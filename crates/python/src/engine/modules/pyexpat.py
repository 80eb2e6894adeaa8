"""`pyexpat`: an XML parser that refuses what is not well-formed.

The interpreter's own takes any text for XML and drops namespaces. This one reads documents as
`expat` does: handlers, namespaces, character references and the errors with their positions.
Entities of a document type are known if their text has no markup, and may make up to
EXPANSION characters of a document; nothing external is read.
"""

import re as _re
import sys as _sys

EXPANSION = 1 << 20
DEPTH = 10_000

version_info = (2, 6, 4)
EXPAT_VERSION = "expat_2.6.4"
native_encoding = "UTF-8"
features = []
XML_PARAM_ENTITY_PARSING_NEVER, XML_PARAM_ENTITY_PARSING_UNLESS_STANDALONE = 0, 1
XML_PARAM_ENTITY_PARSING_ALWAYS = 2

_ERRORS = {
    "SYNTAX": (2, "syntax error"),
    "NO_ELEMENTS": (3, "no element found"),
    "INVALID_TOKEN": (4, "not well-formed (invalid token)"),
    "UNCLOSED_TOKEN": (5, "unclosed token"),
    "TAG_MISMATCH": (7, "mismatched tag"),
    "DUPLICATE_ATTRIBUTE": (8, "duplicate attribute"),
    "JUNK_AFTER_DOC_ELEMENT": (9, "junk after document element"),
    "UNDEFINED_ENTITY": (11, "undefined entity"),
    "BAD_CHAR_REF": (14, "reference to invalid character number"),
    "MISPLACED_XML_PI": (17, "XML or text declaration not at start of entity"),
    "UNKNOWN_ENCODING": (18, "unknown encoding"),
    "UNCLOSED_CDATA_SECTION": (20, "unclosed CDATA section"),
    "UNBOUND_PREFIX": (27, "unbound prefix"),
    "FINISHED": (36, "parsing finished"),
    "AMPLIFICATION_LIMIT_BREACH": (
        43,
        "limit on input amplification factor (from DTD and entities) breached",
    ),
}


class ExpatError(Exception):
    """Text that is not well-formed XML."""


ExpatError.__module__ = "xml.parsers.expat"
error = ExpatError


def _module(name, values):
    import types

    module = types.ModuleType(f"pyexpat.{name}")
    module.__dict__.update(values)
    _sys.modules[module.__name__] = module
    return module


errors = _module(
    "errors",
    {f"XML_ERROR_{name}": text for name, (_, text) in _ERRORS.items()}
    | {
        "codes": {text: code for code, text in _ERRORS.values()},
        "messages": {code: text for code, text in _ERRORS.values()},
    },
)
model = _module(
    "model",
    dict(
        XML_CTYPE_EMPTY=1, XML_CTYPE_ANY=2, XML_CTYPE_MIXED=3, XML_CTYPE_NAME=4,
        XML_CTYPE_CHOICE=5, XML_CTYPE_SEQ=6, XML_CQUANT_NONE=0, XML_CQUANT_OPT=1,
        XML_CQUANT_REP=2, XML_CQUANT_PLUS=3,
    ),
)  # fmt: skip


def ErrorString(code, /):
    """Returns string error for given number."""
    return errors.messages.get(code)


_NAME = r"[^\W\d][\w.\-:·]*"
_START = _re.compile(rf"<({_NAME})")
_END = _re.compile(rf"</({_NAME})[ \t\r\n]*>")
_ATTRIBUTE = _re.compile(
    rf"[ \t\r\n]+({_NAME})[ \t\r\n]*=[ \t\r\n]*(\"[^<\"]*\"|'[^<']*')"
)
_CLOSE = _re.compile(r"[ \t\r\n]*(/?)>")
_INSTRUCTION = _re.compile(rf"<\?({_NAME})(?:[ \t\r\n]+(.*?))?\?>", _re.S)
_REFERENCE = _re.compile(rf"&(?:#(\d+)|#x([0-9a-fA-F]+)|({_NAME}));")
_ENTITY = _re.compile(
    rf"<!ENTITY[ \t\r\n]+({_NAME})[ \t\r\n]+(\"[^\"]*\"|'[^']*')[ \t\r\n]*>"
)
_DOCTYPE = _re.compile(
    rf"<!DOCTYPE[ \t\r\n]+({_NAME})(?:[ \t\r\n]+(?:SYSTEM|PUBLIC[ \t\r\n]+(\"[^\"]*\"|'[^']*'))"
    rf"[ \t\r\n]+(\"[^\"]*\"|'[^']*'))?[ \t\r\n]*(\[.*?\][ \t\r\n]*)?>",
    _re.S,
)
_ENCODING = _re.compile(rb"<\?xml[^>]*?encoding[ \t\r\n]*=[ \t\r\n]*[\"']([A-Za-z0-9._\-]+)")
_BAD = _re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE = _re.compile(r"[ \t\r\n]*")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_XML = "http://www.w3.org/XML/1998/namespace"

_HANDLERS = (
    "StartElementHandler EndElementHandler CharacterDataHandler ProcessingInstructionHandler"
    " CommentHandler StartCdataSectionHandler EndCdataSectionHandler DefaultHandler"
    " DefaultHandlerExpand StartNamespaceDeclHandler EndNamespaceDeclHandler XmlDeclHandler"
    " StartDoctypeDeclHandler EndDoctypeDeclHandler EntityDeclHandler ElementDeclHandler"
    " AttlistDeclHandler NotationDeclHandler UnparsedEntityDeclHandler ExternalEntityRefHandler"
    " NotStandaloneHandler SkippedEntityHandler"
).split()


class XMLParserType:
    """XML parser"""

    def __init__(self, encoding, separator, intern):
        self._encoding = encoding
        self._separator = separator
        self.intern = intern
        self.buffer_text = self.ordered_attributes = self.specified_attributes = False
        self.namespace_prefixes = False
        self.buffer_size, self.buffer_used = 8192, 0
        for name in _HANDLERS:
            setattr(self, name, None)
        self._bytes = b""
        self._text = None
        self._decoder = None
        self._at = 0
        self._done = (1, 0, 0)
        self._open = []
        self._seen = False
        self._started = False
        self._doctype = False
        self._finished = False
        self._entities = {}
        self._expanded = 0
        self._scopes = [{"xml": _XML}]
        self._characters = []
        self._base = None
        self.ErrorCode = 0
        self.ErrorLineNumber = self.ErrorColumnNumber = self.ErrorByteIndex = 0

    def SetBase(self, base, /):
        """Set the base URL for the parser."""
        self._base = base

    def GetBase(self):
        """Return base URL string for the parser."""
        return self._base

    def GetInputContext(self):
        """Return the untranslated text of the input that caused the current event: not kept."""

    def SetParamEntityParsing(self, flag, /):
        """Controls parsing of parameter entities: they never are."""
        return 1

    def UseForeignDTD(self, flag=True, /):
        """Allows the application to provide an artificial external subset: never read."""

    def SetReparseDeferralEnabled(self, enabled, /):
        """Whether incomplete tokens wait for more text: they do."""

    def GetReparseDeferralEnabled(self):
        """Whether incomplete tokens wait for more text."""
        return True

    @property
    def CurrentLineNumber(self):
        return self._position(self._at)[0]

    @property
    def CurrentColumnNumber(self):
        return self._position(self._at)[1]

    @property
    def CurrentByteIndex(self):
        return self._at

    def ParseFile(self, file, /):
        """Parse XML data from file-like object."""
        return self.Parse(file.read(), True)

    def Parse(self, data, isfinal=False, /):
        """Parse XML data; `isfinal` should be true at end of input."""
        if self._finished:
            self._fail("FINISHED", self._at)
        if isinstance(data, str):
            if self._bytes:
                raise TypeError("text after bytes")
            self._text = (self._text or "") + data
        elif data or self._text is None or self._decoder:
            self._bytes += bytes(data)
            if not self._decode(isfinal):
                return 1
        if self._text is None:
            self._text = ""
        self._compact()
        self._run(bool(isfinal))
        self._flush()
        if isfinal:
            self._finished = True
            if self._open or not self._seen:
                self._fail("NO_ELEMENTS", len(self._text))
        return 1

    def _decode(self, final):
        """Turns the bytes that came into text, as far as they are whole characters."""
        import codecs

        if self._text is None:
            start = self._bytes
            if len(start) < 4 and not final:
                return False
            name = self._encoding
            if name is None:
                if start.startswith((b"\xff\xfe", b"\xfe\xff")):
                    name = "utf-16"
                elif start.startswith(b"\xef\xbb\xbf"):
                    name = "utf-8-sig"
                else:
                    if b">" not in start and start.startswith(b"<?xml") and not final:
                        return False
                    found = _ENCODING.match(start)
                    name = found[1].decode() if found else "utf-8"
            self._text = ""
            try:
                self._decoder = codecs.getincrementaldecoder(name)()
            except LookupError:
                self._fail("UNKNOWN_ENCODING", 0)
        try:
            self._text += self._decoder.decode(self._bytes, final)
        except UnicodeDecodeError as failure:
            self._text += self._bytes[: failure.start].decode(failure.encoding, "replace")
            self._run(False)
            self._fail("INVALID_TOKEN", len(self._text))
        self._bytes = b""
        return True

    def _compact(self):
        """Forgets the text that was parsed, but its length."""
        if self._at > 1 << 16:
            line, column = self._position(self._at)
            self._done = (line, column, 0)
            self._text = self._text[self._at :]
            self._at = 0

    def _position(self, at):
        line, column, _ = self._done
        text = self._text or ""
        lines = text.count("\n", 0, at)
        if lines:
            return line + lines, at - text.rfind("\n", 0, at) - 1
        return line, column + at

    def _fail(self, name, at):
        self._flush()
        code, text = _ERRORS[name]
        line, column = self._position(at)
        self.ErrorCode, self.ErrorLineNumber, self.ErrorColumnNumber = code, line, column
        self.ErrorByteIndex = at
        failure = ExpatError(f"{text}: line {line}, column {column}")
        failure.code, failure.lineno, failure.offset = code, line, column
        self._finished = True
        raise failure

    def _call(self, name, *arguments):
        handler = getattr(self, name)
        if handler is not None:
            if name != "CharacterDataHandler":
                self._flush()
            handler(*arguments)
            return True
        return False

    def _characters_of(self, text):
        if self.CharacterDataHandler is None:
            self._default(text)
        elif self.buffer_text:
            self._characters.append(text)
        elif text:
            self.CharacterDataHandler(text)

    def _flush(self):
        if self._characters:
            text, self._characters = "".join(self._characters), []
            if text and self.CharacterDataHandler is not None:
                self.CharacterDataHandler(text)

    def _default(self, text):
        handler = self.DefaultHandlerExpand or self.DefaultHandler
        if handler is not None:
            self._flush()
            handler(text)

    def _run(self, final):
        """Parses the whole tokens that there are."""
        while self._at < len(self._text):
            text, at = self._text, self._at
            if text[at] != "<":
                end = text.find("<", at)
                if end < 0:
                    end = len(text)
                    if not final and self._open:
                        # A reference, a CRLF or `]]>` may be cut in two.
                        end = max(at, min(end, text.rfind("&", at) % (end + 1)))
                        if text[end - 1 : end] in ("\r", "]"):
                            end -= 1
                        if end <= at:
                            return
                self._run_text(at, end)
                self._at = end
                continue
            following = text[at + 1 : at + 2]
            if following == "/":
                step = self._run_end(at)
            elif following == "?":
                step = self._run_instruction(at)
            elif following == "!":
                step = self._run_declaration(at)
            else:
                step = self._run_start(at, final)
            if step is None:
                if final:
                    self._fail("UNCLOSED_TOKEN", at)
                return
            self._started = True
            self._at = step

    def _run_text(self, at, end):
        text = self._text[at:end]
        if not self._open:
            space = _SPACE.match(text).end()
            if space < len(text) and not (not self._started and text[space] == "\ufeff"):
                self._fail("JUNK_AFTER_DOC_ELEMENT" if self._seen else "SYNTAX", at + space)
            self._started = True
            return
        bad = _BAD.search(text)
        if bad:
            self._fail("INVALID_TOKEN", at + bad.start())
        closing = text.find("]]>")
        if closing >= 0:
            self._fail("INVALID_TOKEN", at + closing + 2)
        if "&" not in text:
            self._characters_of(_newlines(text))
            return
        place = 0
        while place < len(text):
            mark = text.find("&", place)
            if mark < 0:
                mark = len(text)
            if mark > place:
                self._characters_of(_newlines(text[place:mark]))
            if mark == len(text):
                return
            found = _REFERENCE.match(text, mark)
            if not found:
                self._fail("INVALID_TOKEN", at + mark + 1)
            value = self._reference(found, at + mark)
            if value is None:
                line, column = self._position(at + mark)
                self.ErrorLineNumber, self.ErrorColumnNumber = line, column
                self._default(found[0])
            else:
                self._characters_of(value)
            place = found.end()

    def _reference(self, found, at):
        """The text of `&name;` or `&#number;`; `None` if nobody knows it."""
        decimal, hexadecimal, name = found.groups()
        if name is None:
            number = int(decimal) if decimal else int(hexadecimal, 16)
            if number > 0x10FFFF or _BAD.match(chr(number)):
                self._fail("BAD_CHAR_REF", at)
            return chr(number)
        if name in _NAMED:
            return _NAMED[name]
        value = self._entities.get(name)
        if value is None:
            if self._doctype:
                return None
            self._fail("UNDEFINED_ENTITY", at)
        self._expanded += len(value)
        if self._expanded > EXPANSION:
            self._fail("AMPLIFICATION_LIMIT_BREACH", at)
        return value

    def _attribute(self, value, at):
        """The text of an attribute's value."""
        if "&" in value:
            parts, place = [], 0
            while (mark := value.find("&", place)) >= 0:
                parts.append(_blank(value[place:mark]))
                found = _REFERENCE.match(value, mark)
                if not found:
                    self._fail("INVALID_TOKEN", at + mark + 1)
                text = self._reference(found, at + mark)
                if text is None:
                    self._fail("UNDEFINED_ENTITY", at + mark)
                parts.append(text)
                place = found.end()
            parts.append(_blank(value[place:]))
            return "".join(parts)
        return _blank(value)

    def _run_start(self, at, final):
        text = self._text
        found = _START.match(text, at)
        if not found:
            if at + 1 == len(text) and not final:
                return None
            self._fail("INVALID_TOKEN", at + 1)
        if self._seen and not self._open:
            self._fail("JUNK_AFTER_DOC_ELEMENT", at)
        place, attributes, names = found.end(), [], set()
        while True:
            closed = _CLOSE.match(text, place)
            if closed:
                break
            pair = _ATTRIBUTE.match(text, place)
            if not pair:
                if text.find(">", place) < 0 and not final:
                    return None
                place = _SPACE.match(text, place).end()
                if place == len(text):
                    return None
                named = _re.compile(rf"{_NAME}[ \t\r\n]*=?[ \t\r\n]*[\"']?").match(text, place)
                self._fail("INVALID_TOKEN", named.end() if named else place)
            name, value = pair[1], pair[2][1:-1]
            if name in names:
                self._fail("DUPLICATE_ATTRIBUTE", pair.start(1))
            names.add(name)
            bad = _BAD.search(value)
            if bad:
                self._fail("INVALID_TOKEN", pair.start(2) + 1 + bad.start())
            attributes.append((name, self._attribute(value, pair.start(2) + 1)))
            place = pair.end()
        if len(self._open) >= DEPTH:
            raise RecursionError("elements are nested too deeply")
        self._seen = True
        prefixes = []
        name = found[1]
        if self._separator is not None:
            attributes, prefixes = self._declare(attributes)
            name = self._qualified(name, True, at)
            attributes = [(self._qualified(key, False, at), value) for key, value in attributes]
            if len({key for key, _ in attributes}) < len(attributes):
                self._fail("DUPLICATE_ATTRIBUTE", at)
        if self.ordered_attributes:
            given = [part for pair in attributes for part in pair]
        else:
            given = dict(attributes)
        if not self._call("StartElementHandler", name, given):
            self._default(text[at : closed.end()])
        if closed[1]:
            self._close(name, prefixes)
        else:
            self._open.append((found[1], name, prefixes))
        return closed.end()

    def _declare(self, attributes):
        """Takes the declarations of namespaces out of an element's attributes."""
        scope, prefixes, others = None, [], []
        for name, value in attributes:
            if name != "xmlns" and not name.startswith("xmlns:"):
                others.append((name, value))
                continue
            if scope is None:
                scope = dict(self._scopes[-1])
            prefix = name[6:] or None
            scope[prefix or ""] = value
            prefixes.append(prefix)
            self._call("StartNamespaceDeclHandler", prefix, value)
        self._scopes.append(self._scopes[-1] if scope is None else scope)
        return others, prefixes

    def _qualified(self, name, element, at):
        prefix, colon, local = name.partition(":")
        if not colon:
            prefix, local = "", name
            if not element:
                return name
        uri = self._scopes[-1].get(prefix)
        if not uri:
            if prefix:
                self._fail("UNBOUND_PREFIX", at)
            return local
        if self.namespace_prefixes and prefix:
            return self._separator.join((uri, local, prefix))
        return f"{uri}{self._separator}{local}"

    def _close(self, name, prefixes):
        self._call("EndElementHandler", name)
        if self._separator is not None:
            self._scopes.pop()
            for prefix in reversed(prefixes):
                self._call("EndNamespaceDeclHandler", prefix)

    def _run_end(self, at):
        found = _END.match(self._text, at)
        if not found:
            if self._text.find(">", at) < 0:
                return None
            self._fail("INVALID_TOKEN", at + 2)
        if not self._open:
            self._fail("JUNK_AFTER_DOC_ELEMENT" if self._seen else "INVALID_TOKEN", at)
        raw, name, prefixes = self._open.pop()
        if raw != found[1]:
            self._fail("TAG_MISMATCH", at + 2)
        self._close(name, prefixes)
        return found.end()

    def _run_instruction(self, at):
        if self._text.find("?>", at) < 0:
            return None
        found = _INSTRUCTION.match(self._text, at)
        if not found:
            self._fail("INVALID_TOKEN", at + 2)
        target, data = found[1], found[2] or ""
        if target.lower() == "xml":
            if at or self._started:
                self._fail("MISPLACED_XML_PI", at)
            values = dict(_re.findall(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']", data))
            if "version" not in values:
                self._fail("SYNTAX", at)
            alone = {"yes": 1, "no": 0}.get(values.get("standalone"), -1)
            if not self._call(
                "XmlDeclHandler", values["version"], values.get("encoding"), alone
            ):
                self._default(found[0])
        elif not self._call("ProcessingInstructionHandler", target, _newlines(data)):
            self._default(found[0])
        return found.end()

    def _run_declaration(self, at):
        text = self._text
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
            if end < 0:
                return None
            comment = text[at + 4 : end]
            if "--" in comment or comment.endswith("-"):
                self._fail("INVALID_TOKEN", at + 4 + max(comment.find("--"), 0) + 2)
            if not self._call("CommentHandler", _newlines(comment)):
                self._default(text[at : end + 3])
            return end + 3
        if text.startswith("<![CDATA[", at):
            if not self._open:
                self._fail("SYNTAX" if not self._seen else "JUNK_AFTER_DOC_ELEMENT", at)
            end = text.find("]]>", at + 9)
            if end < 0:
                return None
            self._call("StartCdataSectionHandler")
            self._characters_of(_newlines(text[at + 9 : end]))
            self._call("EndCdataSectionHandler")
            return end + 3
        if text.startswith("<!DOCTYPE", at):
            return self._run_doctype(at)
        whole = text[at : at + 9]
        if any(start.startswith(whole) for start in ("<!--", "<![CDATA[", "<!DOCTYPE")):
            return None
        self._fail("INVALID_TOKEN", at + 2)

    def _run_doctype(self, at):
        found = _DOCTYPE.match(self._text, at)
        if not found:
            if self._text.find("<", at + 1) < 0 or "[" in self._text[at:]:
                return None
            self._fail("SYNTAX", at)
        if self._seen or self._doctype:
            self._fail("SYNTAX", at)
        name, public, system, subset = found.groups()
        self._doctype = bool(system) or "%" in (subset or "")
        if not self._call(
            "StartDoctypeDeclHandler",
            name,
            system and system[1:-1],
            public and public[1:-1],
            1 if subset else 0,
        ):
            self._default(found[0])
        for entity in _ENTITY.finditer(subset or ""):
            value = _REFERENCE.sub(
                lambda number: self._reference(number, at) if number[3] is None else number[0],
                entity[2][1:-1],
            )
            value = _REFERENCE.sub(lambda inner: self._reference(inner, at) or "&", value)
            if "<" not in value and "&" not in value:
                self._entities.setdefault(entity[1], value)
            self._call("EntityDeclHandler", entity[1], 0, value, self._base, None, None, None)
        self._call("EndDoctypeDeclHandler")
        return found.end()


XMLParserType.__name__ = XMLParserType.__qualname__ = "xmlparser"


def _newlines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _blank(text):
    """Line ends and tabs of an attribute's value are blanks."""
    text = text.replace("\r\n", "\n")
    return text.replace("\n", " ").replace("\r", " ").replace("\t", " ")


def ParserCreate(encoding=None, namespace_separator=None, intern=None):
    """Return a new XML parser object."""
    if namespace_separator is not None and len(namespace_separator) > 1:
        raise ValueError("namespace_separator must be at most one character, omitted, or None")
    tree = _sys.modules.get("xml.etree.ElementTree")
    if tree is not None and "__str__" not in vars(tree.ParseError):
        # It is a SyntaxError, and the interpreter writes "(None, line None)" behind those.
        tree.ParseError.__str__ = ValueError.__str__
    return XMLParserType(encoding, namespace_separator, {} if intern is None else intern)
