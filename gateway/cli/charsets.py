"""Tells in which encoding a CSV file is, from its beginning.

It is decided once and for all of the file. Where it cannot be told for certain the file is refused,
with what to do, and never read by half or sent as signs that nobody wrote.
"""

import codecs
from collections.abc import Iterator
from typing import Final

from gateway.cli.output import UsageError

HEAD: Final = 1 << 18
"""Bytes of a file that are looked at before anything is decided: some thousand rows."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, None),  # it begins like the next one
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF32_BE, None),
)
"""Byte order marks, and the encoding that each stands for; None for one that nobody uses."""

_OTHERS: Final = (
    (b"PK\x03\x04", "a workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "a workbook (.xls)"),
    (b"\x1f\x8b", "compressed"),
    (b"%PDF", "a PDF"),
    (b"<", "HTML or XML"),
)
"""How files begin that are sent by mistake."""

MEND: Final = 'save it from the spreadsheet as "CSV UTF-8"'

_COMMON: Final = frozenset(
    "一三上下不东两个中为么乐也买了事五交人什今他以们优会作你信候做元先公再几出刚别到券前办加动十午去又发叫可"
    "号吃同后吗吧听呀员呢周呵和哈哦哪啊啦嗯嘛嘿回在地复多大天太她好妈姐子学安完定家对小少就工己已师带帮干年店"
    "开很得心忙快怎恩息您情惠想意我手才打找把折拒接收新方无日早时明是晚最有本机来校样次死气没活点爱玩现班理生"
    "用电的看真着睡知短码祝空等系经给网老考聊能自行西要见觉订让记证话该说请课谢购起跟身车过近还这退通道那都里"
    "钱问间饭验"
)
"""Some of the most frequent characters of Chinese texts. They are half or more of any; of Korean,
Japanese, traditional Chinese and alphabets that are read as GB18030, less than a tenth."""
_COMMON_SHARE: Final = 0.3
_COMMON_LEAST: Final = 4


def encoding_of(head: bytes, following: Iterator[bytes], name: str) -> tuple[str, bytes]:
    """The encoding of a file, and its byte order mark.

    Args:
        head: how it begins.
        following: what comes then, read for as long as there is nothing but ASCII.
        name: the file's.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            if encoding is None:
                raise UsageError(f"{name}: it is UTF-32: {MEND}")
            return encoding, mark
    for beginning, what in _OTHERS:
        if head.lstrip().startswith(beginning):
            raise UsageError(f"{name}: it is {what}, not CSV: {MEND}")
    # The header is ASCII, whatever follows.
    nuls = [octet == 0 for octet in head[:4]]
    if nuls == [False, True, False, True]:
        return "utf-16-le", b""
    if nuls == [True, False, True, False]:
        return "utf-16-be", b""
    return _unmarked(head, following, name), b""


def _unmarked(head: bytes, following: Iterator[bytes], name: str) -> str:
    lines = head.splitlines(keepends=True)
    passed = 0
    breaks_off = len(head) >= HEAD
    while breaks_off and head.isascii():  # a list may begin with the countries that write so
        more = next(following, b"")
        passed += len(lines) - 1
        head = lines[-1] + more
        lines = head.splitlines(keepends=True)
        breaks_off = len(more) >= HEAD
    if breaks_off and len(lines) > 1:
        del lines[-1]
    foreign = [line for line in lines if not line.isascii()]
    bad = [line for line in foreign if not is_utf8(line)]
    if not bad or 2 * len(bad) < len(foreign):
        return "utf-8"  # and the bad ones are told as such
    if _is_chinese(b"".join(foreign)):
        return "gb18030"
    number = passed + lines.index(bad[0]) + 1
    raise UsageError(
        f"{name}: line {number} is not UTF-8, and of which encoding it is cannot be told for "
        f"certain: {MEND}, or convert it (iconv -f WINDOWS-1252 -t UTF-8, with its encoding in "
        "place of this one)"
    )


def is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(octets: bytes) -> bool:
    """Whether these read as everyday Chinese in GB18030."""
    told = [
        character
        for character in octets.decode("gb18030", "surrogateescape")
        # But for punctuation, which other encodings have in the same place.
        if character > "\x7f" and not "\u2000" <= character <= "\u303f" and character < "\uff00"
    ]
    common = sum(map(_COMMON.__contains__, told))
    return common >= max(_COMMON_LEAST, _COMMON_SHARE * len(told))
