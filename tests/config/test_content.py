"""What is wrong with content rules, and what in them can never apply."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings, warnings

Read = Callable[..., Settings]
Faults = Callable[..., list[str]]


def content(**keys: Any) -> dict[str, Any]:
    return {"policy": {"content": keys}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (content(links="none"), "policy.content.links: 'none' is not 'any' or 'registered'"),
        (content(max_parts=256), "policy.content.max_parts: 256 is not between 0 and 255"),
        (
            content(words=[{"name": "a"}]),
            (
                "policy.content.words[0]: has no words; give `words`, a `file` or a list that is "
                "`shipped`"
            ),
        ),
        (
            content(words=[{"name": "a", "words": ["ok", "x"]}]),
            (
                "policy.content.words[0].words[1]: 'x' is one letter or digit, which texts "
                "have for "
                "any reason; take it out"
            ),
        ),
        (
            content(words=[{"name": "a", "words": ["ok"], "regions": ["ZZ"]}]),
            "policy.content.words[0].regions[0]: 'ZZ' is no ISO 3166 code, such as 'CN' or 'US-TX'",
        ),
        (
            content(words=[{"name": "a", "words": ["ok"]}, {"name": "a", "words": ["no"]}]),
            "policy.content.words[1].name: the same as words[0].name; every list has its own",
        ),
        (
            content(words=[{"name": "a", "file": "nowhere.txt"}]),
            "policy.content.words[0].file: 'nowhere.txt' cannot be read: No such file or directory",
        ),
        (
            content(optout_line=[{"region": "CN", "category": "otp", "text": "退订"}]),
            (
                "policy.content.optout_line[0].category: 'otp' has no opt-out line: no one-time "
                "password may"
            ),
        ),
        (
            content(optout_line=[{"region": "CN", "text": "退订", "carriers": ["alfa"]}]),
            (
                "policy.content.optout_line[0].carriers[0]: there is no carrier 'alfa'; did "
                "you mean "
                "'alpha'?"
            ),
        ),
        (
            {"tenant": {"domains": ["https://shop.example"]}},
            (
                "tenants[0].domains[0]: 'https://shop.example' is an address; give the domain "
                "alone, "
                "such as 'shop.example'"
            ),
        ),
        (
            {"tenant": {"signatures": [{"text": "10086"}]}},
            (
                "tenants[0].signatures[0].text: '10086' is digits alone, which no carrier "
                "registers; "
                "add a word"
            ),
        ),
        (
            {"tenant": {"signatures": [{"text": "海岸", "senders": ["10690002"]}]}},
            (
                "tenants[0].signatures[0].senders[0]: there is no sender '10690002'; did you mean "
                "'10690001'?"
            ),
        ),
        (
            {"carrier": {"bans": ["fun"]}},
            "carriers[0].bans[0]: 'fun' is not 'links', 'phones' or 'contacts'",
        ),
    ],
)
def test_a_fault_names_the_key_the_value_and_the_mend(
    faults: Faults, changes: dict[str, Any], line: str
) -> None:
    assert line in faults(**changes)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("好词\n".encode("gb18030"), "line 1: byte 0 is not UTF-8; save it as UTF-8"),
        (b"fine\nx\n", "line 2: 'x' is one letter or digit, which texts have for any reason; "),
        ("casino\nbet\n".encode("utf-16-le"), "line 1: has a NUL, as UTF-16 has; save it as UTF-8"),
        (b"casino\nbet\0\n", "line 2: has a NUL, as UTF-16 has; save it as UTF-8"),
        (b"w0123456\n" * 1_000_000, "has more than 4194304 bytes"),
        (b"w\n" * 1_000_000, "1000000 lines; a list has up to 100000 words"),
    ],
)
def test_a_word_list_that_cannot_be_used_is_named(
    faults: Faults, tmp_path: Path, data: bytes, why: str
) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(data)
    [line] = faults(**content(words=[{"name": "house", "file": str(path)}]))
    assert line.startswith(f"policy.content.words[0].file: {str(path)!r}")
    assert why in line


def test_the_words_of_all_sources_are_one_list(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("casino\n")
    words = {"name": "a", "file": str(path), "words": ["bet"], "shipped": "inducements"}
    [found] = read(**content(words=[words])).dispatch.policy.content.words
    assert {"casino", "bet", "集赞"} <= set(found.words)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            content(words=[{"name": "a", "words": ["ok"], "categories": []}]),
            "policy.content.words[0].categories: is empty, so the list bans nothing; name some",
        ),
        (
            content(
                optout_line=[{"region": "CN", "text": "退订"}, {"region": "CN", "text": "拒收"}]
            ),
            (
                "policy.content.optout_line[1]: is never used: optout_line[0] is for the same "
                "region "
                "and category and for every carrier; put this one before it"
            ),
        ),
        (
            content(
                words=[{"name": "a", "words": ["拒收"], "regions": ["CN"]}],
                optout_line=[
                    {"region": "US", "text": "拒收"},
                    {"region": "CN", "text": "拒收请回复R"},
                ],
            ),
            (
                "policy.content.optout_line[1].text: has '拒收', which words[0] bans, so all "
                "texts with it are refused; word it otherwise"
            ),
        ),
        (
            {
                **content(words=[{"name": "a", "words": ["海岸"]}]),
                "tenant": {"signatures": [{"text": "海岸百货"}]},
            },
            (
                "tenants[0].signatures[0].text: has '海岸', which policy.content.words[0] bans, so "
                "texts with it are refused; take it off that list"
            ),
        ),
        (
            content(links="registered"),
            (
                "tenants[0].domains: is empty where policy.content.links is 'registered', so "
                "all its "
                "links are refused; list its domains"
            ),
        ),
    ],
)
def test_what_can_never_apply_is_told(read: Read, changes: dict[str, Any], line: str) -> None:
    assert line in warnings.found(read(**changes), date(2026, 9, 21))
