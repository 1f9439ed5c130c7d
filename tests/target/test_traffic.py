"""What a load test sends, and to whom."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from benchmarks.target import fictional
from benchmarks.target.fictional import RANGES, Recipients, in_lines, in_regions
from benchmarks.target.schedule import steady
from benchmarks.target.traffic import Batch, Traffic
from gateway import numbers


@pytest.mark.parametrize("region", RANGES)
def test_the_gateway_takes_every_range_for_numbers_of_its_region(region: str) -> None:
    for prefix, digits in RANGES[region]:
        for number in (prefix + "0" * digits, prefix + "9" * digits):
            assert numbers.read(number) == number
            assert numbers.region_of(number) == region


@pytest.mark.parametrize(
    ("names", "count"),
    [("GB", 1_000), ("FR", 10_000), ("IE", 100_000), ("GB, FR", 11_000), ("FR,FR", 10_000)],
)
def test_every_number_of_a_range_has_its_turn(names: str, count: int) -> None:
    recipients = in_regions(names)
    assert len(recipients) == count
    assert len({recipients[index] for index in range(count)}) == count
    assert recipients[count] == recipients[0]


def test_all_ranges_are_many_and_mixed() -> None:
    recipients = in_regions("all")
    assert len(recipients) > 100_000
    regions = {numbers.region_of(recipients[index]) for index in range(1_000)}
    assert regions == set(RANGES)


def test_recipients_of_a_file_are_read_as_numbers() -> None:
    recipients = in_lines("list.txt", ["# ours\n", "+44 7700 900123\n", "\n", "33639980001\n"])
    assert sorted(recipients[index] for index in range(2)) == ["33639980001", "447700900123"]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "it has no numbers"),
        (["+447700900123", "nobody"], "line 2: 'nobody'"),
        (["07700 900123"], "line 1: "),
    ],
)
def test_a_file_with_what_is_no_number_is_refused(lines: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        in_lines("list.txt", lines)


def test_a_region_that_keeps_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="'CN' is no file, and no region"):
        in_regions("GB,CN")


def traffic(**options: Any) -> Traffic:
    settings: dict[str, Any] = {
        "run": "r",
        "recipients": Recipients("some", fictional.RANGES["FR"]),
        "texts": {"one part": 1.0},
        "batches": {10: 1.0},
        "otp": 0.0,
        "tenants": [1.0],
        "category": "transactional",
        "sender": None,
        "seed": 1,
    }
    return Traffic(**{**settings, **options})


def batches(made: Traffic, messages: int = 10_000) -> list[Batch]:
    return list(made.batches(steady(1_000, messages / 1_000), first=0, most=messages))


def test_every_message_is_there_once_and_in_time() -> None:
    made = traffic(batches={1: 1.0, 7: 1.0}, otp=0.3)
    found = batches(made)
    bodies = [msgspec.msgpack.decode(batch.frame()[4:]) for batch in found]
    keys = [message["key"] for body in bodies for message in body["messages"]]
    assert [made.number(key) for key in keys] == list(range(10_000))
    assert [batch.due for batch in found] == pytest.approx([b.first / 1_000 for b in found])
    assert [body["id"] for body in bodies] == [batch.first for batch in found]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_the_share_of_one_time_passwords_is_of_messages(share: float) -> None:
    found = batches(traffic(otp=share))
    passwords = [batch for batch in found if batch.otp]
    assert len(passwords) / 10_000 == pytest.approx(share, abs=0.02)
    assert all(len(batch.recipients) == 1 for batch in passwords)
    assert {batch.request["defaults"]["category"] for batch in passwords} <= {"otp"}


def test_texts_sizes_and_tenants_are_by_their_weights() -> None:
    found = batches(
        traffic(texts={"one part": 3, "chinese": 1}, batches={1: 1, 9: 1}, tenants=[1, 4])
    )
    texts = [message["text"] for batch in found for message in batch.request["messages"]]
    assert sum("退订" in text for text in texts) / len(texts) == pytest.approx(0.25, abs=0.03)
    sizes = Counter(len(batch.recipients) for batch in found)
    assert sizes[1] / len(found) == pytest.approx(0.5, abs=0.05)
    assert sum(b.tenant for b in found) / len(found) == pytest.approx(0.8, abs=0.05)


def test_the_same_seed_gives_the_same_messages() -> None:
    mixed: dict[str, Any] = {"texts": {"one part": 1, "chinese": 1}, "otp": 0.1}
    assert batches(traffic(**mixed)) == batches(traffic(**mixed))
    assert batches(traffic(**mixed)) != batches(traffic(**mixed, seed=2))


def test_events_of_others_are_of_no_message() -> None:
    assert [traffic().number(key) for key in (None, "", "r-", "r-x", "q-1", "r-12")] == [
        *[None] * 5,
        12,
    ]


def test_a_message_of_each_kind_is_quoted_before() -> None:
    samples = traffic(texts={"one part": 1, "chinese": 1}, otp=0.1, sender="SHOP").samples()
    assert [one["category"] for one in samples] == ["transactional", "transactional", "otp"]
    assert {one["from"] for one in samples} == {"SHOP"}
