"""Ways to damage archives: flip a bit, cut the end, change the table's name, swap two of them, and more."""

import random
from typing import Any

import zstandard

from housekeeping.engine import unpacking
from housekeeping.models import Archive

COLUMNS = [field.attname for field in Archive._meta.concrete_fields]


def kept() -> list[dict[str, Any]]:
    """All archives, with all their columns."""
    found = list(Archive.objects.order_by("pk").values(*COLUMNS))
    return [{**row, "payload": bytes(row["payload"])} for row in found]


def put(rows: list[dict[str, Any]]) -> None:
    """Replace all archives with these."""
    Archive.objects.all().delete()
    Archive.objects.bulk_create(Archive(**row) for row in rows)


def flipped(rows: list[dict[str, Any]], chance: random.Random) -> str:
    row = chance.choice(rows)
    payload = bytearray(row["payload"])
    bit = chance.randrange(8 * len(payload))
    payload[bit // 8] ^= 1 << bit % 8
    if _is_harmless(row["payload"], bytes(payload)):
        return flipped(rows, chance)
    row["payload"] = bytes(payload)
    return f"bit {bit} of {row['id']} flipped"


def _is_harmless(payload: bytes, changed: bytes) -> bool:
    """Whether both unpack to the same rows: zstd ignores some bits of its header."""
    try:
        return unpacking.unpacked(payload) == unpacking.unpacked(changed)
    except zstandard.ZstdError:
        return False


def cut(rows: list[dict[str, Any]], chance: random.Random) -> str:
    row = chance.choice(rows)
    row["payload"] = row["payload"][: chance.randrange(len(row["payload"]))]
    return f"{row['id']} cut to {len(row['payload'])} bytes"


def lengthened(rows: list[dict[str, Any]], chance: random.Random) -> str:
    row = chance.choice(rows)
    row["payload"] += chance.choice(rows)["payload"]
    return f"{row['id']} goes on after its end"


def swapped(rows: list[dict[str, Any]], chance: random.Random) -> str:
    """Swap the contents of two archives, or the columns that tell where they belong."""
    one, other = chance.sample(rows, 2)
    names = chance.choice(
        [["payload"], ["payload", "rows", "size"], ["run_id"], ["model", "schema"], ["batch"]]
    )
    if all(one[name] == other[name] for name in names):
        names = ["payload"]
    for name in names:
        one[name], other[name] = other[name], one[name]
    return f"{', '.join(names)} of {one['id']} and {other['id']} swapped"


def lost(rows: list[dict[str, Any]], chance: random.Random) -> str:
    row = rows.pop(chance.randrange(len(rows)))
    return f"{row['id']} lost"


def miscounted(rows: list[dict[str, Any]], chance: random.Random) -> str:
    row = chance.choice(rows)
    row["rows"] += chance.choice([-1, 1, 256])
    return f"{row['id']} has {row['rows']} rows"


def altered(rows: list[dict[str, Any]], chance: random.Random) -> str:
    """Change a column that describes the archive."""
    row = chance.choice(rows)
    others: dict[str, list[Any]] = {
        "policy": ["messages", ""],
        "model": ["chat.ChatMessagf", "chat.User", ""],
        "emptied": ["user_id"],
        "schema": [[["id"]], 5, [["ie", "bigint"]]],
        "vendor": ["oracle"],
        "batch": [99, None],
        "part": [1],
        "position": [99, None],
        "is_own": [not row["is_own"]],
        "before": [None, "x", "0" * 64],
        "digest": ["", "0" * 64],
    }
    name = chance.choice(list(others))
    row[name] = chance.choice(others[name])
    return f"{name} of {row['id']} is {row[name]!r}"


KINDS = [flipped] * 3 + [cut] * 2 + [swapped] * 2 + [altered] * 2 + [lengthened, lost, miscounted]
