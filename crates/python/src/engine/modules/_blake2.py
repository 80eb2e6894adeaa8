"""`_blake2`: BLAKE2 with all of its parameters, after RFC 7693.

The interpreter's own has none of them: it does where nothing is asked of it, and this does where
a key, a salt, a person or another length is.
"""

import sys as _sys

import _imp

_spec = type("Spec", (), {"name": "_blake2", "origin": "built-in", "parent": ""})()
# The interpreter makes a module only if none of its name is there.
_ours = _sys.modules.pop("_blake2")
_native = _imp.create_builtin(_spec)
_sys.modules["_blake2"] = _ours

_SIGMA = [
    [int(digit, 16) for digit in row]
    for row in (
        "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8",
        "905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a",
        "6fe9b308c2d714a5", "a2847615fb9e3cd0",
    )
]  # fmt: skip
_START = (
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
)  # fmt: skip
_MIX = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)) + (
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)


class _Blake2:
    """A BLAKE2 hash; its kinds say how wide a word is."""

    def __new__(cls, data=b"", /, *, string=None, usedforsecurity=True, **parameters):
        if string is not None:
            data = string
        if not parameters:
            return getattr(_native, cls.name)(data)
        self = object.__new__(cls)
        self._set(**parameters)
        self.update(data)
        return self

    def _set(
        self, *, digest_size=None, key=b"", salt=b"", person=b"", fanout=1, depth=1, leaf_size=0,
        node_offset=0, node_depth=0, inner_size=0, last_node=False,
    ):  # fmt: skip
        most = self.MAX_DIGEST_SIZE
        size = most if digest_size is None else digest_size
        if not 1 <= size <= most:
            raise ValueError(f"digest_size must be between 1 and {most} bytes")
        for name, value, limit in (
            ("salt", salt, self.SALT_SIZE),
            ("person", person, self.PERSON_SIZE),
            ("key", key, self.MAX_KEY_SIZE),
        ):
            if len(value) > limit:
                raise ValueError(f"maximum {name} length is {limit} bytes")
        word = self._word
        block = bytes((size, len(key), fanout, depth)) + leaf_size.to_bytes(4, "little")
        block += node_offset.to_bytes(8 if word == 8 else 6, "little")
        block += bytes((node_depth, inner_size))
        block = block.ljust(word * 4, b"\0")
        block += bytes(salt).ljust(self.SALT_SIZE, b"\0")
        block += bytes(person).ljust(self.PERSON_SIZE, b"\0")
        self.digest_size = size
        self._last = last_node
        self._count = 0
        self._held = bytes(key).ljust(self.block_size, b"\0") if key else b""
        start = [value >> 64 - 8 * word for value in _START]
        self._state = [
            value ^ int.from_bytes(block[at * word : at * word + word], "little")
            for at, value in enumerate(start)
        ]

    def _compress(self, state, block, count, final):
        word, bits, mask = self._word, self._word * 8, (1 << self._word * 8) - 1
        first, second, third, fourth = self._turns
        words = [int.from_bytes(block[at : at + word], "little") for at in range(0, 16 * word, word)]
        v = state + [value >> 64 - bits for value in _START]
        v[12] ^= count & mask
        v[13] ^= count >> bits
        if final:
            v[14] ^= mask
            if self._last:
                v[15] ^= mask
        for turn in range(self._rounds):
            order = _SIGMA[turn % 10]
            for step, (a, b, c, d) in enumerate(_MIX):
                for at, one, two in (
                    (order[2 * step], first, second),
                    (order[2 * step + 1], third, fourth),
                ):
                    v[a] = v[a] + v[b] + words[at] & mask
                    x = v[d] ^ v[a]
                    v[d] = (x >> one | x << bits - one) & mask
                    v[c] = v[c] + v[d] & mask
                    x = v[b] ^ v[c]
                    v[b] = (x >> two | x << bits - two) & mask
        return [value ^ v[at] ^ v[at + 8] for at, value in enumerate(state)]

    def update(self, data, /):
        """Update this hash object's state with the provided bytes-like object."""
        if isinstance(data, str):
            raise TypeError("Strings must be encoded before hashing")
        held, size, at = self._held + bytes(data), self.block_size, 0
        while len(held) - at > size:
            self._count += size
            self._state = self._compress(self._state, held[at : at + size], self._count, False)
            at += size
        self._held = held[at:]

    def digest(self):
        """Return the digest value as a bytes object."""
        block = self._held.ljust(self.block_size, b"\0")
        state = self._compress(self._state, block, self._count + len(self._held), True)
        whole = b"".join(value.to_bytes(self._word, "little") for value in state)
        return whole[: self.digest_size]

    def hexdigest(self):
        """Return the digest value as a string of hexadecimal digits."""
        return self.digest().hex()

    def copy(self):
        """Return a copy of the hash object."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other


class blake2b(_Blake2):
    """Return a new BLAKE2b hash object."""

    name, block_size = "blake2b", 128
    MAX_DIGEST_SIZE = MAX_KEY_SIZE = 64
    SALT_SIZE = PERSON_SIZE = 16
    _word, _rounds, _turns = 8, 12, (32, 24, 16, 63)


class blake2s(_Blake2):
    """Return a new BLAKE2s hash object."""

    name, block_size = "blake2s", 64
    MAX_DIGEST_SIZE = MAX_KEY_SIZE = 32
    SALT_SIZE = PERSON_SIZE = 8
    _word, _rounds, _turns = 4, 10, (16, 12, 8, 7)
