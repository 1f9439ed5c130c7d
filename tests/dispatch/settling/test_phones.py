"""What a receipt's addresses say of the phone that a message went to."""

import pytest

from gateway.dispatch.settling.phones import Agreement, agreement, same_number

PHONE, SENDER = "447400123456", "10690001"
YES, NO, NOTHING = Agreement.AGREES, Agreement.DISAGREES, Agreement.SILENT


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("447400123456", "+447400123456", True),
        ("447400123456", "00447400123456", True),
        ("447400123456", "7400123456", True),
        ("447400123456", "07400123456", True),
        ("447400123456", "447400123457", False),
        ("447400123456", "56", False),
        ("447400123456", "", False),
    ],
)
def test_spellings_of_a_number(one: str, other: str, same: bool) -> None:
    assert same_number(one, other) is same
    assert same_number(other, one) is same


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("447400123456", "10690001", YES),
        ("+447400123456", "", YES),
        ("00447400123456", "", YES),
        ("07400123456", "", YES),
        ("7400123456", "", YES),
        ("123456", "", YES),
        ("77447400123456", "", YES),
        ("+44 (7400) 123-456", "", YES),
        ("tel:+447400123456", "", YES),
        ("44740012****", "", YES),
        ("447400xxxx56", "", YES),
        ("*****0123456", "", YES),
        ("07400##3456", "", YES),
        ("10690001", "447400123456", YES),
        ("", "447400123456", YES),
        ("Carrier", "07400123456", YES),
        ("8613800000000", "447400123456", YES),
        ("", "", NOTHING),
        ("10690001", "10690001", NOTHING),
        ("8610690001", "10690001", NOTHING),
        ("1069000188", "10690001", NOTHING),
        ("Carrier", "", NOTHING),
        ("12345", "", NOTHING),
        ("************", "", NOTHING),
        ("44******56", "", NOTHING),
        ("44 and more", "", NOTHING),
        ("9900123456", "", NOTHING),  # another prefix before the same digits
        ("\u0664\u0664\u0667", "", NOTHING),
        ("8613800000000", "10690001", NO),
        ("447400123457", "", NO),
        ("447500****56", "", NO),
    ],
)
def test_what_addresses_say(source: str, destination: str, said: Agreement) -> None:
    assert agreement(source, destination, PHONE, SENDER) is said


@pytest.mark.parametrize(
    ("phone", "source", "said"),
    [
        ("79161234567", "89161234567", YES),  # Russia dials 8 for the country
        ("525512345678", "5215512345678", YES),  # Mexico's old 1
        ("5215512345678", "525512345678", YES),
        ("5511987654321", "551187654321", YES),  # Brazil's ninth digit
        ("5491123456789", "541123456789", YES),
        ("8613912345678", "13912345678", YES),
        ("36201234567", "06201234567", YES),
        ("8613912345678", "8613812345678", NO),
        ("447400123456", "447500123456", NO),
        ("447400123456", "9900123456", NOTHING),
        ("8613912345678", "8613912345679", NO),
    ],
)
def test_a_phone_has_several_spellings(phone: str, source: str, said: Agreement) -> None:
    assert agreement(source, SENDER, phone, SENDER) is said


def test_without_a_sender_nothing_is_taken_for_it() -> None:
    assert agreement("8613800000000", "", PHONE) is NO
