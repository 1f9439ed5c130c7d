"""In which encoding a file is, as spreadsheets of the world save it."""

# ruff: noqa: RUF001  texts as people write them

import codecs
import io

import pytest

from gateway.cli.charsets import HEAD, encoding_of
from gateway.cli.output import UsageError

CHINESE = "to,text\n13912345678,【优衣库】双十一大促，全场五折起，退订回T\n"
ORDER = "to,text\n13912345678,尊敬的客户，您的话费余额不足10元，请及时充值\n"
FRENCH = "to;text\n33612345678;Votre café préféré vous attend\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        # Excel's "CSV UTF-8", and what most programs write.
        (codecs.BOM_UTF8 + CHINESE.encode(), ("utf-8", codecs.BOM_UTF8)),
        (CHINESE.encode(), ("utf-8", b"")),
        (FRENCH.encode(), ("utf-8", b"")),
        (b"to,text\n447700900123,Hello\n", ("utf-8", b"")),
        (b"", ("utf-8", b"")),
        # Excel's "Unicode text", and what PowerShell writes.
        (codecs.BOM_UTF16_LE + CHINESE.encode("utf-16-le"), ("utf-16-le", codecs.BOM_UTF16_LE)),
        (codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be"), ("utf-16-be", codecs.BOM_UTF16_BE)),
        (CHINESE.encode("utf-16-le"), ("utf-16-le", b"")),
        (CHINESE.encode("utf-16-be"), ("utf-16-be", b"")),
        # Excel's "CSV" on a Chinese computer.
        (CHINESE.encode("gbk"), ("gb18030", b"")),
        (ORDER.encode("gb18030"), ("gb18030", b"")),
        (CHINESE.encode("gb2312"), ("gb18030", b"")),
        ((CHINESE + "13912345679,祝您购物愉快😀\n").encode("gb18030"), ("gb18030", b"")),
        # One row that went wrong does not make another encoding of all.
        (CHINESE.encode() + ORDER.encode() + b"4477,\xff\n", ("utf-8", b"")),
        (CHINESE.encode("gbk") + ORDER.encode("gbk") + b"4477,\xff\n", ("gb18030", b"")),
    ],
)
def test_an_encoding_that_can_be_told_is(head: bytes, expected: tuple[str, bytes]) -> None:
    assert encoding_of(head, iter(()), "list.csv") == expected


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1252", "Votre café préféré vous attend à l’été"),
        ("cp1252", "Ihr Code für heute"),
        ("mac-roman", "Votre café préféré"),
        ("cp1250", "Vaše žádost byla přijata, děkujeme"),
        ("cp1251", "Ваш код подтверждения: 1234. Никому не сообщайте"),
        ("koi8-r", "Ваш код подтверждения: 1234. Никому не сообщайте"),
        ("cp1253", "\u039f κωδικός σας είναι 1234"),
        ("cp1254", "Şifreniz için doğrulama kodu"),
        ("cp1255", "קוד האימות שלך הוא"),
        ("cp1256", "رمز التحقق الخاص بك هو"),
        ("cp874", "รหัสยืนยันของคุณคือ"),
        ("cp949", "안녕하세요 고객님, 주문하신 상품이 배송되었습니다. 감사합니다"),
        ("cp932", "お客様のご注文を承りました。ありがとうございます。"),
        ("euc-jp", "お客様のご注文を承りました。ありがとうございます。"),
        ("big5", "您好，您的訂單已出貨，感謝您的購買"),
        ("gbk", "您好"),  # too little to tell
    ],
)
def test_an_encoding_that_cannot_be_told_refuses_the_file_with_the_mend(
    codec: str, text: str
) -> None:
    head = f"to,text\n447700900123,Hello\n447700900124,{text}\n".encode(codec)
    with pytest.raises(UsageError) as refused:
        encoding_of(head, iter(()), "list.csv")
    assert str(refused.value).startswith("list.csv: line 3 is not UTF-8, ")
    assert 'save it from the spreadsheet as "CSV UTF-8"' in str(refused.value)
    assert "iconv" in str(refused.value)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PK\x03\x04\x14\x00", "a workbook (.xlsx)"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "a workbook (.xls)"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"%PDF-1.7", "a PDF"),
        (b"\r\n<html><table>", "HTML or XML"),
        (codecs.BOM_UTF32_LE + "to,text".encode("utf-32-le"), "UTF-32"),
        (codecs.BOM_UTF32_BE + "to,text".encode("utf-32-be"), "UTF-32"),
    ],
)
def test_what_is_no_csv_is_told_for_what_it_is(head: bytes, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        encoding_of(head, iter(()), "list.csv")
    assert str(refused.value).startswith(f"list.csv: it is {what}")


def test_a_head_that_breaks_off_within_a_character_is_no_worse() -> None:
    row = "447700900123,é\n".encode()
    head = b"to,text\n" + row * (HEAD // len(row))
    for cut in range(len(row)):
        cut_off = (head + row)[: HEAD - cut].ljust(HEAD, b"\xc3")
        assert encoding_of(cut_off, iter(()), "list.csv")[0] == "utf-8"


ROW = b"447700900123,Hello\n"
LONG = b"to,text\n" + ROW * (3 * HEAD // len(ROW))


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        (b"", "utf-8"),
        (FRENCH.encode(), "utf-8"),
        (CHINESE.encode("gbk"), "gb18030"),
    ],
)
def test_what_comes_behind_ascii_decides(behind: bytes, expected: str) -> None:
    file = io.BytesIO(LONG + behind)
    head = file.read(HEAD)
    assert encoding_of(head, iter(lambda: file.read(HEAD), b""), "list.csv")[0] == expected


def test_a_line_far_behind_is_told() -> None:
    file = io.BytesIO(LONG + "33612345678,Votre café\n".encode("cp1252"))
    head = file.read(HEAD)
    line = LONG.count(b"\n") + 1
    with pytest.raises(UsageError, match=f"line {line} is not UTF-8"):
        encoding_of(head, iter(lambda: file.read(HEAD), b""), "list.csv")


def test_a_pipe_is_decided_by_its_head() -> None:
    assert encoding_of(LONG[:HEAD], iter(()), "list.csv")[0] == "utf-8"
