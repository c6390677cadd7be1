"""Writes saferepr.jsonl with the saferepr of the installed Celery: python3 generate.py > saferepr.jsonl

Each line: text (what Celery writes: limit 1024, 3 levels), json (the value as JSON text, null when it has none),
cut (whether the same value without limits is written differently).
"""
import datetime
import decimal
import json
import random
import uuid
from collections import Counter, OrderedDict, namedtuple

from celery.utils.saferepr import saferepr

random.seed(20261121)
WORDS = ["a", "it's", 'say "hi"', "C:\\new\\x", "tail\\", "wait...", "...", "", "naïve ☃ 🎉", "line\nbreak\ttab", "', '", "\\'",
         "x" * 40, "x" * 1500, "two words " * 150, "null", "{'a': 1}", "[...]", ", ...", "nul\x00", "Bearer " + "y" * 1400]
Point = namedtuple("Point", "x y")


class Plain:
    def __repr__(self):
        return "<Plain object at 0x7f0000000000>"


class Wordy:
    def __repr__(self):
        return "Wordy(size=" + "9" * 1500 + ", name='n')"


OTHERS = [
    (datetime.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc),), datetime.datetime(2024, 1, 2, 3, 4),
    datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))),
    datetime.date(2024, 1, 2), datetime.time(1, 2, 3), datetime.timedelta(days=1, seconds=2, microseconds=3),
    datetime.timedelta(0), uuid.UUID(int=5), decimal.Decimal("1.10"), b"bytes", b"\xff\xfe", set(), frozenset(),
    {1, 2}, frozenset({"a", "it's"}), [frozenset([("a", 1)])], Point(1, "b"), OrderedDict(a=1), Counter("aab"), range(3),
    Plain(), [Plain(), 1], [Wordy(), Wordy()], {"w": Wordy()}, float("nan"), [float("inf"), float("-inf")], 1 + 2j, [1j],
    {1: "int key"}, {("a", 1): "tuple key"}, Ellipsis, NotImplemented, int, ValueError("it's"), [[[[frozenset([1])]]]],
    b"it's", [b"a", "b"], memoryview(b"x").tobytes(), ["x" * 1015, [1, 2], {"k": frozenset({1, 2})}],
]
for n in range(1000, 1030):
    OTHERS.append(["y" * n, [1, [2]], {"k": [3]}])
    OTHERS.append({"k" * 5: "y" * n, "l": {"m": frozenset({1})}})
    OTHERS.append(("y" * n,))


def value(depth):
    kind = random.random()
    if depth and kind < 0.25:
        return [value(depth - 1) for _ in range(random.choice([0, 1, 2, 3, 30]))]
    if depth and kind < 0.5:
        return {random.choice(WORDS[:17]) + random.choice(["", "k"]): value(depth - 1) for _ in range(random.choice([0, 1, 3]))}
    if kind < 0.6:
        return random.choice([0, 1, -1, 2**53, 2**63, -(10**30), 42, 1234567890])
    if kind < 0.7:
        return random.choice([0.0, -0.0, 1.0, 1.5, -2.25, 1e16, 1e-07, 1.7976931348623157e308, 0.1])
    if kind < 0.8:
        return random.choice([None, True, False])
    return random.choice(WORDS)


def line(obj):
    text = saferepr(obj, maxlen=1024)
    try:
        as_json = json.dumps(obj, allow_nan=False)
    except (TypeError, ValueError):
        as_json = None
    if as_json is not None and any(type(k) is not str for k in keys(obj)):
        as_json = None
    print(json.dumps({"text": text, "json": as_json, "cut": text != saferepr(obj, maxlevels=None)}))


def keys(obj):
    if isinstance(obj, dict):
        for key, item in obj.items():
            yield key
            yield from keys(item)
    elif isinstance(obj, (list, tuple)):
        for item in obj:
            yield from keys(item)


for _ in range(300):
    line(tuple(value(random.choice([0, 1, 2, 4])) for _ in range(random.choice([0, 1, 2, 3]))))
    line(value(3))
for other in OTHERS:
    line(other)
