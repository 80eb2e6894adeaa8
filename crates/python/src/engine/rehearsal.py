"""Run once before any code: what Python looks up, compiles and caches at the first time is there then."""

import dataclasses, json, math, re
from collections import Counter, defaultdict, deque
from datetime import datetime, timedelta
from functools import lru_cache, reduce


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Shape:
    def __init__(self, name):
        self._name = name

    @property
    def name(self):
        return self._name

    def __repr__(self):
        return f"{type(self).__name__}({self._name!r})"


class Square(Shape):
    def __init__(self, side):
        super().__init__("square")
        self.side = side


@lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def evens(numbers):
    for number in numbers:
        if number % 2 == 0:
            yield number


squares = [Square(side) for side in range(1, 4)]
points = [Point(i, i * 1.5) for i in range(3)]
words = "the quick brown fox jumps over the lazy dog".split()
counts = Counter(words)
groups = defaultdict(list)
for at, word in enumerate(sorted(words, key=len, reverse=True)):
    groups[len(word)].append((at, word.upper()))
queue = deque(evens(range(10)), maxlen=4)
while queue:
    queue.popleft()
try:
    {}["missing"]
except (KeyError, ValueError) as error:
    message = str(error)
total = sum(x * y for x, y in zip([1, 2, 3], [4, 5, 6]))
table = {k: v for k, v in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}
text = json.dumps({"a": [1, 2.5, None, True], "b": {"c": "d"}, "points": [dataclasses.asdict(p) for p in points]}, indent=2)
back = json.loads(text)
found = re.findall(r"\b(\w+)@(\w+)\.com\b", "ann@example.com, bob@example.com")
moment = datetime(2024, 1, 31) + timedelta(days=1, hours=2)
lines = [f"{moment:%Y-%m-%d}", f"{math.pi:.3f}", "%s: %d" % ("n", 3), "{:>8}".format("x"), ", ".join(map(str, {3, 1, 2}))]
result = (fibonacci(20), reduce(lambda a, b: a * b, range(1, 10)), max(points, key=lambda p: p.y), squares, [s.name for s in squares])
repr(result)
