"""Finds links in a text, and tells where they lead: to a tenant's own domains, to a public
shortener, or anywhere.

A link is what phones make one: an address with ``http://``, one that begins with ``www.``, or a
name that ends in a top-level domain which hardly is a word, with or without a path. Whether a name
exists is asked of nobody.
"""

# ruff: noqa: RUF001  full stops of other scripts are meant

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOT: Final = "[.．。｡]"  # as browsers read a name (IDNA, RFC 3490, 3.1)
_HOST: Final = rf"(?:{_LABEL}{_DOT}){{1,8}}"
_PLAIN: Final = (
    "com|net|org|cn|co|io|info|biz|shop|top|xyz|vip|cc|ly|link|click|app|dev|site|online|store|club"
    "|live|tv|eu|uk|de|fr|es|nl|jp|kr|hk|tw|sg|ru|br|mx|ca|au|ch|pl|ink|ltd|gov|edu|mobi|pro|work"
    "|page|gle|wiki|asia|fun|space|website|tech|cloud"
)
_LINK: Final = re.compile(
    rf"(?:https?|ftp)://(?:[^\s/@?#]{{1,100}}@)?(?P<stated>[^\s/?#:，。！？；、【】（）《》]{{1,253}}"
    rf"(?:[。｡][a-z0-9-]+)*)"
    rf"|(?<![\w@.-])(?:(?P<www>www{_DOT}{_HOST}[^\W\d_]{{2,24}})"
    rf"|(?P<plain>{_HOST}(?:{_PLAIN}))(?![^\W_]|-)(?!{_DOT}[^\W_])"
    rf"|(?P<path>{_HOST}[a-z]{{2,24}})(?=/[^\s]))",
    re.IGNORECASE | re.ASCII,
)
_SCHEME: Final = re.compile("://")
_OTHER_DOT: Final = re.compile(r"(?<=[A-Za-z0-9])[。｡](?=[A-Za-z0-9])")
_ANY_DOT: Final = re.compile(_DOT)
_WIDE: Final = re.compile("[．０-９Ａ-Ｚａ-ｚ]")
_NARROW: Final = {
    code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code) not in "，；："
}
_DOTS: Final = str.maketrans("．。｡", "...")


class Link(NamedTuple):
    """A link: the name of its host in lower case, without a dot at its end, and where it begins."""

    host: str
    place: int


def links(text: str) -> Sequence[Link]:
    """The links of a text, in order."""
    if not text.isascii():
        if not _ANY_DOT.search(text) and "://" not in text:
            return ()
        if _WIDE.search(text):
            text = text.translate(_NARROW)
    elif "." not in text and "://" not in text:
        return ()
    dots = _dots(text)
    return list(_links(text, sorted(dots))) if dots else ()


def _links(text: str, dots: Sequence[int]) -> Iterator[Link]:
    """The links around these places."""
    done = 0
    for at in dots:
        if at < done:
            continue
        # What stands between spaces, for the pattern takes 60 ns a character.
        done = text.find(" ", at)
        done = len(text) if done < 0 else done
        for hit in _LINK.finditer(text, text.rfind(" ", 0, at) + 1, done):
            host = hit["stated"] or hit["www"] or hit["plain"] or hit["path"]
            yield Link(plain_host(host), hit.start())


def _dots(text: str) -> list[int]:
    """Where links may be: at a colon of ``://``, and at full stops within a name."""
    found = [hit.start() for hit in _SCHEME.finditer(text)] if "://" in text else []
    at = text.find(".")
    while at >= 0:
        after = text[at + 1 : at + 2]
        if after > " " and after.isalnum() and text[at - 1 : at].isalnum():
            found.append(at)
        at = text.find(".", at + 1)
    if not text.isascii():
        found += [hit.start() for hit in _OTHER_DOT.finditer(text)]
    return found


def plain_host(name: str) -> str:
    """A host name as it is compared: folded, in its ASCII form where it has one."""
    name = unicodedata.normalize("NFKC", name.translate(_DOTS)).lower().strip(".")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def written_host(host: str) -> str:
    """A host as people write it: not in the ASCII form of other scripts."""
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


def ends_with_link(text: str) -> bool:
    """Whether what is put right behind a text would be taken for the rest of its last link."""
    if not text or text[-1].isspace() or not text[-1].isascii():
        return False
    return bool(links(text.rsplit(maxsplit=1)[-1]))


def is_within(host: str, domains: Collection[str]) -> bool:
    """Whether a host is one of these domains or within one."""
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False


def domain_problem(name: str) -> str:
    """Why something is no domain that can be registered; empty where it is one."""
    host = plain_host(name)
    if "/" in name or ":" in name:
        return f"{name[:60]!r} is an address; give the domain alone, such as 'shop.example'"
    if not re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", host):
        return f"{name[:60]!r} is no domain, such as 'shop.example'"
    return ""


@cache
def shorteners() -> frozenset[str]:
    """The public shorteners that are known."""
    lines = Path(__file__).with_name("shorteners.txt").read_text("ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
