"""What code uses most, in parts: a check of each works out what later checks ask for."""

for word in "a b".split():
    print(word, len(word), end="", sep=", ")
print(sum(x * y for x, y in zip([1], [2])), min([1, 2]), max(1, 2), abs(-1), round(2.5, 1), divmod(7, 2))
print(any(map(bool, [1])), all(filter(None, [1])), list(reversed([1])), tuple({1: 2}.values()), set([1]) | {2} & {3} - {4})
print("a,b".split(","), ",".join(["a"]), "a".upper().lower().strip(), "abc"[::-1], "a" in "abc", "%s %d" % ("a", 1), "a" * 3)
print("x".replace("x", "y"), "x".startswith("x"), "x".zfill(3), "x".encode().decode(), "x".isdigit(), "x".count("x"), b"a"[0])
print("x".find("x"), "a b".partition(" "), "x".center(5, "*"), "x".format(1, a=2), str(1), int("1"), float("1"), repr(1))
try:
    matrix = [[0] * 3 for _ in range(3)]
    matrix[0][1] += 1
    print([x for part in matrix for x in part], {k: v for k, v in {"a": 1}.items()}, {w for w in "ab"}, 1 if matrix else 2)
    with open("a") as file:
        print(file.read(), [row.rstrip() for row in file], file.readlines())
except (ValueError, KeyError, IndexError, ZeroDivisionError) as error:
    print(str(error), error.args, type(error).__name__)
except Exception as error:
    raise RuntimeError("x") from error
finally:
    pass


def first(n, text="a", *rest, flag=False, **options):
    return n if n < 2 else first(n - 1) + first(n - 2)


class Plain:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"{self.name!r:>10}"


print(Plain("a").name, first(3), (lambda x: x)(1))
# %%
import bisect, heapq, json, re
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple

counts: dict[str, list[int]] = {}
for word in "a b".split():
    counts.setdefault(word, []).append(len(word))
data = json.loads(json.dumps(counts, indent=2, sort_keys=True, default=str))
print(data["a"], data.get("b"), counts.get("a", []), *counts, max(counts, key=lambda k: len(counts[k])))
ordered = sorted(counts.items(), key=lambda item: (-len(item[1]), item[0]), reverse=True)
found = re.search(r"(\d+)", "a1") or re.match("a", "b")
if found:
    print(found.group(1), found.groups(), found.span(), found.start())
print(re.findall("a", "b"), re.sub("a", lambda m: m.group(0).upper(), "b"), re.split(",", "a,b"))
print(re.compile(r"x", re.I | re.M).finditer("x"))
tally = Counter("abracadabra")
tally.update(["a"])
groups = defaultdict(list)
groups["a"].append(1)
for key, value in tally.most_common(2):
    groups[key].append(value)
line = deque([1, 2], maxlen=3)
line.appendleft(0)
line.popleft()
heap = [3, 1]
heapq.heapify(heap)
heapq.heappush(heap, 2)
print(heapq.heappop(heap), heapq.nlargest(1, heap), bisect.bisect_left(heap, 2))
a, *b = [1, 2, 3]
(c, d), e = (1, 2), 3
b[0], b[1] = b[1], b[0]
b.sort(key=lambda n: -n)
b.extend([1]); b.insert(0, 1); b.remove(1); b.index(1); b.reverse(); b.copy(); del b[0]; b[1:2] = [3]
row = {"id": 1, "name": "a"}
matrix = [[0] * 3 for _ in range(3)]
matrix[0][1] += 1
flat = [x for part in matrix for x in part]
print(row["name"], {**row}, [*flat, *b], (n := 10), not a, a if d else e, 1 < a <= 3, a is None, ~a, a << 1, lambda: 0, ...)
counts.pop("a", None); counts.update({"b": [1]}); counts.keys(); counts | {"c": []}
Point2 = namedtuple("Point2", "x y")
print(Point2(1, 2).x, ChainMap({}, {}), OrderedDict())
# %%
import functools, itertools, math, operator, random, statistics
from functools import cache, lru_cache, partial, reduce

def gen():
    yield 1

print(math.sqrt(2), math.floor(1.5), math.gcd(4, 6), math.isclose(1, 1), math.comb(4, 2), math.factorial(5), math.log(2, 10))
print(random.random(), random.randint(1, 2), random.choice([1]), random.shuffle([1]), random.sample([1], 1), random.seed(1))
print(statistics.mean([1]), statistics.median([1, 2]), statistics.stdev([1, 2]), statistics.mode([1]))
print(itertools.chain([1], [2]), list(itertools.product([1], repeat=2)), list(itertools.combinations([1, 2], 2)))
print(list(itertools.permutations([1])), list(itertools.groupby("aab")), list(itertools.accumulate([1])), itertools.count())
print(list(itertools.islice(gen(), 2)), list(itertools.zip_longest([1], [2])), itertools.cycle("ab"), itertools.pairwise([1]))
print(reduce(lambda a, b: a + b, [1, 2], 0), partial(int, base=2)("1"), operator.itemgetter(1)([1, 2]), functools.cmp_to_key)
# %%
from __future__ import annotations

import contextlib, io, math, sys, time
from abc import ABC, abstractmethod
import dataclasses
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from functools import lru_cache, wraps
from typing import Any, Callable, Generic, Iterable, Iterator, NamedTuple, Optional, Protocol, TypedDict, TypeVar, Union

T = TypeVar("T")


class Shape(ABC):
    count = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.tags: list[str] = []

    @abstractmethod
    def area(self) -> float: ...

    @property
    def label(self) -> str:
        return f"{self.name!r:>10} {self.area():.2f}"

    @classmethod
    def make(cls, *names: str) -> list[str]:
        return [name.strip().title() for name in names if name]

    @staticmethod
    def twice(n: int) -> int:
        return n * 2

    def __repr__(self) -> str:
        return "{}({})".format(type(self).__name__, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and self.name == other.name

    def __lt__(self, other: Shape) -> bool:
        return self.area() < other.area()

    def __hash__(self) -> int:
        return hash(self.name)


class Circle(Shape):
    def __init__(self, r: float) -> None:
        super().__init__("circle")
        self.r = r

    def area(self) -> float:
        return math.pi * self.r**2


@dataclass(order=True, frozen=True)
class Point:
    x: float
    y: float = 0.0
    names: list[str] = field(default_factory=list, compare=False)


class Color(Enum):
    RED = 1
    BLUE = auto()


class Level(IntEnum):
    LOW = 1


class Row(TypedDict):
    id: int
    name: str


class Pair(NamedTuple):
    a: int
    b: str


class Stack(Generic[T]):
    def __init__(self) -> None:
        self.items: list[T] = []

    def push(self, item: T) -> None:
        self.items.append(item)

    def pop(self) -> Optional[T]:
        return self.items.pop() if self.items else None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        yield from self.items

    def __getitem__(self, i: int) -> T:
        return self.items[i]

    def __contains__(self, item: object) -> bool:
        return item in self.items


class CustomError(ValueError):
    pass


def timed(function: Callable[..., Any]):
    @wraps(function)
    def inner(*args, **kwargs):
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            print(f"{function.__name__}: {time.perf_counter() - start:.3f}")

    return inner


@timed
def work(n, text="a", *rest, flag=False, **options):
    global total
    total = 0
    for i, c in enumerate(text):
        total += ord(c) ^ i
    while n > 0:
        n //= 2
        if n % 3 == 0:
            continue
        if n == 1:
            break
    with contextlib.suppress(KeyError), io.StringIO() as out:
        out.write(text)
        print(out.getvalue(), file=sys.stderr, end="", sep=", ")
    match text:
        case "a" | "b":
            pass
        case [x, *y]:
            pass
        case {"k": v}:
            pass
        case Point(x=0):
            pass
        case _:
            raise CustomError("no") from None
    return [j for j in range(n) if j % 2] or {k: v for k, v in options.items()} or {w for w in rest}


@lru_cache(maxsize=None)
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@contextlib.contextmanager
def opened(name: str):
    yield open(name, "w", encoding="utf-8")


def gen(n=3):
    for i in range(n):
        received = yield i
        print(received)


print(Point(1).x, dataclasses.asdict(Point(1)), dataclasses.replace(Point(1), x=2), Circle(1).label, Shape.make("a"), Shape.twice(1))
print(Color.RED.name, Color(1), Color["RED"].value, [c for c in Color], Level.LOW + 1, Pair(1, "a")._asdict(), Pair(1, "b").a)
stack: Stack[int] = Stack()
stack.push(1)
print(stack.pop(), len(stack), [s for s in stack], isinstance(stack, Stack), issubclass(Circle, Shape), type(stack), callable(gen))
row: Row = {"id": 1, "name": "a"}
print(work(1), fib(10), fib.cache_info(), row["name"])
# %%
import datetime, zoneinfo
from datetime import date, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

now = datetime.datetime.now(timezone.utc)
print(now.strftime("%Y"), now.isoformat(), (now + timedelta(days=1)) - now, date.today().weekday(), date(2020, 1, 1).year)
print(datetime.datetime.strptime("2020", "%Y").date(), datetime.datetime(2020, 1, 1).timestamp(), zoneinfo.ZoneInfo("UTC"))
print(Decimal("1.1") + Decimal(2), Decimal(1).quantize(Decimal("0.1")), Fraction(1, 3) * 2, complex(1, 2).real, 3 + 4j)
# %%
import asyncio

async def fetch(i: int) -> int:
    await asyncio.sleep(0)
    async with asyncio.timeout(1), asyncio.Lock():
        return i


async def main() -> list[int]:
    task = asyncio.create_task(fetch(1))
    queue_: asyncio.Queue[int] = asyncio.Queue()
    await queue_.put(await task)
    async with asyncio.TaskGroup() as group:
        group.create_task(fetch(2))
    return await asyncio.gather(*(fetch(i) for i in range(3)))

print(asyncio.run(main()), await fetch(1))
# %%
import argparse, array, ast, base64, binascii, calendar, cmath, collections.abc, copy, csv, difflib, glob, hashlib, hmac
import html, inspect, io, ipaddress, keyword, logging, numbers, os, os.path, pathlib, platform, pprint, queue, secrets
import shutil, string, struct, sys, tempfile, textwrap, threading, time, timeit, traceback, types, typing, unicodedata
import unittest, urllib.parse, uuid, warnings, weakref, zlib
import xml.etree.ElementTree as ET
from pathlib import Path

counts = {"a": [1]}
def work(): ...
print(hashlib.sha256(b"a").hexdigest(), hashlib.md5(b"a").digest(), base64.b64encode(b"a").decode(), uuid.uuid4().hex)
print(copy.deepcopy(counts), textwrap.dedent("a"), textwrap.fill("a", width=10), pprint.pformat(counts), string.ascii_letters)
print(csv.DictReader(io.StringIO("a,b")), list(csv.reader(["a"])), csv.writer(io.StringIO()).writerow([1]), sys.argv, sys.maxsize)
print(Path("a") / "b", Path("a").suffix, Path("a").read_text(), Path("a").exists(), os.path.join("a", "b"), os.getcwd(), os.listdir("."))
print(os.environ.get("A"), os.path.exists("a"), tempfile.gettempdir(), urllib.parse.urlparse("a").netloc, urllib.parse.quote("a"))
with open("a") as file, tempfile.NamedTemporaryFile() as other:
    print(file.read(), [row.rstrip() for row in file], file.readlines(), other.name)
logging.basicConfig(level=logging.INFO)
logging.getLogger(__name__).info("a %s", 1)
print(sum([[1]], []), frozenset([1]), bytes([1]), bytearray(1), slice(1), memoryview(b"a"), object(), bool(1))
print(inspect.signature(work), traceback.format_exc(), typing.get_type_hints(work), warnings.warn("a"), struct.pack("i", 1), zlib.crc32(b"a"))
print(unicodedata.normalize("NFC", "a"), secrets.token_hex(8), html.escape("a"), difflib.SequenceMatcher(None, "a", "b").ratio())
print(ast.literal_eval("1"), eval("1"), calendar.monthrange(2020, 1), cmath.sqrt(-1), ET.fromstring("<a/>").find("b"))
print(ipaddress.ip_address("::1"), numbers.Number, platform.system(), argparse.ArgumentParser())
print(threading.Lock(), queue.Queue(), time.time(), time.sleep(0), types.SimpleNamespace(a=1).a, array.array("i", [1]))
