"""What people and carriers write, and which number it is."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from gateway.numbers import (
    REGIONS,
    NumberError,
    from_carrier,
    kind_of,
    read,
    region_of,
    same_phone,
)

BRITISH = "447700900123"
CHINESE = "8613912345678"


# --- with the country code ---


@pytest.mark.parametrize(
    ("written", "number"),
    [
        # As they should be.
        ("+447400123456", "447400123456"),
        ("447400123456", "447400123456"),
        ("+6834002", "6834002"),
        ("870773123456", "870773123456"),
        ("+881612345678", "881612345678"),
        # International prefix.
        ("00447700900123", BRITISH),
        ("0044 7700 900123", BRITISH),
        ("+00447700900123", BRITISH),
        ("008613912345678", CHINESE),
        ("00 86 139 1234 5678", CHINESE),
        # What separates.
        ("+44 7700 900123", BRITISH),
        ("+44-7700-900123", BRITISH),
        ("+44.7700.900.123", BRITISH),
        ("+44/7700/900123", BRITISH),
        ("+44 (7700) 900123", BRITISH),
        ("(+44) 7700 900123", BRITISH),
        ("+ 44 7700 900123", BRITISH),
        ("+86 139-1234-5678", CHINESE),
        (" 447700900123\t", BRITISH),
        ("447700900123\r\n", BRITISH),
        ("+44\u00a07700\u00a0900123", BRITISH),  # no-break spaces
        ("+44\u20097700\u2009900123", BRITISH),  # thin spaces
        ("+86\u3000139\u30001234\u30005678", CHINESE),  # ideographic spaces
        ("+44\u20117700\u2011900123", BRITISH),  # no-break hyphens
        ("+44\u20137700\u2014900123", BRITISH),  # dashes
        ("+44\u22127700\u2212900123", BRITISH),  # minus signs
        # What is not seen.
        ("\u202a+44 7700 900123\u202c", BRITISH),  # as iOS copies it
        ("\u200e+447700900123", BRITISH),  # a left-to-right mark
        ("\ufeff447700900123", BRITISH),  # a byte order mark
        ("4477\u200b00900\u200d123", BRITISH),  # of no width
        ("+44\u00ad7700900123", BRITISH),  # a soft hyphen
        ("\u2066+86 139 1234 5678\u2069", CHINESE),
        # Digits of other scripts.
        ("\uff0b\uff14\uff14\uff17\uff17\uff10\uff10\uff19\uff10\uff10\uff11\uff12\uff13", BRITISH),
        ("\u0664\u0664\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0661\u0662\u0663", BRITISH),
        ("+\u06f4\u06f4\u06f7\u06f7\u06f0\u06f0\u06f9\u06f0\u06f0\u06f1\u06f2\u06f3", BRITISH),
        ("+\u096a\u096a \u096d\u096d\u0966\u0966 \u096f\u0966\u0966\u0967\u0968\u0969", BRITISH),
        # Quotes and the like.
        ("'+447700900123", BRITISH),
        ("'447700900123'", BRITISH),
        ('"447700900123"', BRITISH),
        ("\u201c+44 7700 900123\u201d", BRITISH),
        ('="447700900123"', BRITISH),
        # URIs (RFC 3966, RFC 5724).
        ("tel:+44-7700-900123", BRITISH),
        ("TEL:+447700900123", BRITISH),
        ("tel:%2B447700900123", BRITISH),
        ("sms:+447700900123?body=hello", BRITISH),
        ("callto://+447700900123", BRITISH),
        ("p:+447700900123", BRITISH),  # as Facebook's leads are exported
        ("whatsapp:+447700900123", BRITISH),
        ("Tel. +44 7700 900123", BRITISH),
        ("Mobile: +44 7700 900123", BRITISH),
        ("<+447700900123>", BRITISH),
        ("+44 7700 900123;", BRITISH),
        ("+447700900123\x00", BRITISH),
        ("+44\ufe0f7700900123", BRITISH),  # a variation selector, of an emoji beside it
    ],
)
def test_one_number_in_many_hands(written: str, number: str) -> None:
    assert read(written) == number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        # The plan has no such numbers: the zero is dialled at home alone.
        ("+4407700900123", "447700900123"),
        ("4407700900123", "447700900123"),
        ("+44 (0)7700 900123", "447700900123"),
        ("0044 (0)7700 900123", "447700900123"),
        ("+330612345678", "33612345678"),
        ("+4901711234567", "491711234567"),
        ("+49 (0) 171 1234567", "491711234567"),
        ("+610412345678", "61412345678"),
        ("+86 0139 1234 5678", "8613912345678"),
        ("+86 (0)10 6900 1234", "861069001234"),
        ("+8109012345678", "819012345678"),
        ("+6208123456789", "628123456789"),
        ("+9109812345678", "919812345678"),
        ("+390333 123 4567", "393331234567"),  # an Italian mobile has none
        ("+39 (0)333 123 4567", "393331234567"),
        # Other trunk prefixes.
        ("+7 8 916 123 45 67", "79161234567"),
        ("+375 8 029 123 45 67", "375291234567"),
        ("+370 8 612 34567", "37061234567"),
        ("+36 06 20 123 4567", "36201234567"),
        ("+1 1 202 555 0123", "12025550123"),
        ("+54 011 15 1234-5678", "5491112345678"),
        ("+54 11 15 1234-5678", "5491112345678"),
        ("+55 0 15 11 98765-4321", "5511987654321"),
        # Zeros that are real stay.
        ("+390612345678", "390612345678"),
        ("+39 (0)6 1234 5678", "390612345678"),
        ("+2250712345678", "2250712345678"),
        ("+22507 12 34 56 78", "2250712345678"),
        ("+2290197123456", "2290197123456"),
        ("+242061234567", "242061234567"),
        ("+24107123456", "24107123456"),
        ("+3780549886377", "3780549886377"),
    ],
)
def test_zeros_behind_the_country_code(written: str, number: str) -> None:
    assert read(written) == number


@pytest.mark.parametrize(
    "number",
    [
        "447700900123",
        "441632960123",
        "441134960123",
        "442079460123",
        "442896496123",
        "442920180123",
        "441914980123",
        "448081570123",
        "449098790123",
        "443069990123",
        "12025550123",
        "14165550199",
        "18005550199",
        "61491570006",
        "61491570159",
        "61255501234",
        "61370101234",
        "611800975707",
        "611300975707",
        "33199001234",
        "33261911234",
        "33353011234",
        "33465711234",
        "33536491234",
        "33639981234",
        "493023125123",
        "494066969123",
        "4915228817386",
        "491719920012",
        "353209101234",
        "46701740605",
        "46313900600",
        "46846500400",
        "46406280400",
        "46980319200",
    ],
)
def test_numbers_kept_for_documentation_and_drama_are_taken(number: str) -> None:
    assert read(number) == read("+" + number) == number


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("+", "no digits"),
        ("++447400123456", "a + within it"),
        ("+44+7700900123", "a + within it"),
        ("+86+8613912345678", "a + within it"),
        ("447700900123, 447700900124", "one number alone"),
        ("447700900123;447700900124", "one number alone"),
        ("447700900123\n447700900124", "one number alone"),
        ("447700900123 447700900124", "24 digits"),
        ("+44 7700 900123 x12", "extension"),
        ("+44 7700 900123 ext. 12", "extension"),
        ("+1 202 555 0123#99", "extension"),
        ("tel:+12025550123;ext=99", "extension"),
        ("1-800-FLOWERS", "letter 'F'"),
        ("+44 7700 9OO123", "letter 'O'"),
        ("44740012345\u00b2", "'\u00b2'"),
        ("*31#447700900123", "'*'"),
        ("4.47700900123E+11", "rounded by a spreadsheet"),
        ("4,477E+11", "rounded by a spreadsheet"),
        ("8.61391E12", "rounded by a spreadsheet"),
        ("447700900123.0", "spreadsheet"),
        ("447700900123,00", "spreadsheet"),
        ("4" * 100, "longer than any number"),
        # No such country code.
        ("+9991234567", "no country's numbers begin with 999"),
        ("2101234567", "no country's numbers begin with 210"),
        # Short codes and emergency numbers.
        ("110", "short code or an emergency number"),
        ("911", "short code or an emergency number"),
        ("12345", "short code or an emergency number"),
        ("+86110", "too short"),
        ("+44999", "too short"),
        # Lengths.
        ("+861391234567", "none of +86 (CN) with 12 digits begins with 8613"),
        ("+86139123456789", "14 digits"),
        ("+44770090012", "11 digits"),
        ("+4477009001234", "13 digits"),
        ("+33612345", "numbers of +33 (FR) have 11"),
        ("+1202555012", "10 digits"),
        ("+120255501234", "12 digits"),
        ("+22507123456", "numbers of +225 (CI) have 13"),  # eight digits, until 2021
        ("+4915123", "7 digits"),
        # What they begin with.
        ("+8612345678901", "8612"),  # mobiles begin with 13 to 19
        ("+8610000000000", "8610"),
        ("+13912345678", "13912"),  # no area code
        ("+15551234567", "15551"),
        ("+12020123456", "12020"),  # no exchange begins with 0 or 1
        ("+12021234567", "12021"),
        ("+330712345", "9 digits"),
        ("+7012345678", "10 digits"),
        ("+70123456789", "7012"),
        # A zero too many even so.
        ("+44007700900123", "14 digits"),
        ("+044 7700 900123", "no country's numbers begin with 044"),
    ],
)
def test_what_is_no_number(written: str, why: str) -> None:
    with pytest.raises(NumberError) as caught:
        read(written)
    assert why in str(caught.value)
    assert str(caught.value).startswith(repr(written[:32]))


@pytest.mark.parametrize(
    "written", ["13912345678", "07700900123", "0171 1234567", "09012345678", "8005550123"]
)
def test_a_number_of_nobody_knows_which_country_is_refused_with_the_mend(written: str) -> None:
    with pytest.raises(NumberError, match=r"write \+ and the country code.*default_region"):
        read(written)


@pytest.mark.parametrize("number", ["8615412345678", "8614012345678", "33639123456", "6587123456"])
def test_ranges_opened_after_the_table_was_made_are_taken(number: str) -> None:
    assert read(number) == number


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        # Area codes that the plans do not list, where the country code is stated.
        ("+1 457 555 1234", None, "14575551234"),
        ("0014575551234", None, "14575551234"),
        ("+1 (837) 555-1234", "GB", "18375551234"),
        ("(457) 555-1234", "US", "14575551234"),
        ("14575551234", "CA", "14575551234"),
        # What may as well be a national number elsewhere is none, nor what cannot be an area code.
        ("14575551234", None, None),
        ("13815556789", None, None),
        ("13815556789", "GB", None),
        ("13815556789", "CN", "8613815556789"),
        ("+1 391 234 5678", None, None),  # a 9 in the middle: for longer numbers, one day
        ("+1 378 234 5678", None, None),
        ("+1 968 234 5678", None, None),
        ("+1 911 234 5678", None, None),
        ("+1 457 155 1234", None, None),
        ("+1 157 555 1234", None, None),
    ],
)
def test_area_codes_of_north_america_that_are_opened_later(
    written: str, region: str | None, number: str | None
) -> None:
    if number is None:
        with pytest.raises(NumberError):
            read(written, region)
    else:
        assert read(written, region) == number
        assert region_of(number) == ("US" if number.startswith("1") else "CN")
        assert same_phone(number, "+" + number)


@pytest.mark.parametrize(
    ("written", "ton", "country_code", "number"),
    [
        ("14575551234", 0, "1", "14575551234"),
        ("4575551234", 2, "1", "14575551234"),
        ("14575551234", 1, "44", "14575551234"),
        ("+14575551234", 0, "", "14575551234"),
        # An older spelling without the country code, where the carrier says that it is national.
        ("15512345678", 2, "52", "5215512345678"),
        ("15512345678", 0, "52", "15512345678"),
        ("12842291234", 1, "52", "12842291234"),
        # A Chinese carrier that says that all of its numbers are international.
        ("13815556789", 1, "86", "8613815556789"),
        ("13815556789", 1, "", None),
        ("13815556789", 0, "", None),
    ],
)
def test_who_texts_from_an_area_code_that_was_opened_later_and_from_mexico(
    written: str, ton: int, country_code: str, number: str | None
) -> None:
    assert from_carrier(written, ton, country_code) == number


# --- national ones, where the region is stated ---


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("13912345678", "CN", "8613912345678"),
        ("139 1234 5678", "CN", "8613912345678"),
        ("013912345678", "CN", "8613912345678"),
        ("17951 139 1234 5678", "CN", "8613912345678"),  # by a cheap carrier
        ("010-69001234", "CN", "861069001234"),
        ("07700 900123", "GB", "447700900123"),
        ("7700900123", "GB", "447700900123"),  # a spreadsheet took the zero
        ("(0)7700 900123", "GB", "447700900123"),
        ("07781 123456", "GB", "447781123456"),  # Guernsey
        ("0171/1234567", "DE", "491711234567"),
        ("15112345678", "DE", "4915112345678"),
        ("06 12 34 56 78", "FR", "33612345678"),
        ("0690 12 34 56", "FR", "590690123456"),  # Guadeloupe, in France's plan at home
        ("0692 12 34 56", "FR", "262692123456"),  # Réunion
        ("06 12 34 56 78", "RE", "33612345678"),
        ("(202) 555-0123", "US", "12025550123"),
        ("1 (202) 555-0123", "US", "12025550123"),
        ("416-555-0123", "US", "14165550123"),
        ("464 1234", "AG", "12684641234"),  # local, where a region is one area code
        ("8 916 123-45-67", "RU", "79161234567"),
        ("916 123-45-67", "RU", "79161234567"),
        ("06 20 123 4567", "HU", "36201234567"),
        ("090-1234-5678", "JP", "819012345678"),
        ("0812-3456-7890", "ID", "6281234567890"),
        ("81234567890", "ID", "6281234567890"),
        ("011 15-1234-5678", "AR", "5491112345678"),
        ("0 15 11 98765-4321", "BR", "5511987654321"),
        ("55 1234 5678", "MX", "525512345678"),
        ("333 123 4567", "IT", "393331234567"),
        ("06 1234 5678", "IT", "390612345678"),
        ("07 12 34 56 78", "CI", "2250712345678"),
        ("0412 345 678", "AU", "61412345678"),
        ("0098123456", "NZ", None),
        # Bare digits that are a number abroad and a phone here are the phone here.
        ("13012345678", "CN", "8613012345678"),
        ("15412345678", "CN", "8615412345678"),
        ("6593925750", "IN", "916593925750"),  # Singapore's, abroad
        # Spellings of before are written at home too where they are what is dialled there.
        ("97 12 34 56", "BJ", "22997123456"),
        ("97123456", "BJ", "22997123456"),
        ("68522123", "BJ", "22968522123"),  # a phone in Samoa's plan, were it a number abroad
        ("11 8765 4321", "BR", "551187654321"),
        # Mexico's 1 was dialled from abroad alone, so these are North America's.
        ("1 (284) 229-1234", "MX", "12842291234"),
        ("12842291234", "MX", "12842291234"),
        # With its country code, without +.
        ("8613912345678", "CN", "8613912345678"),
        ("447700900123", "CN", "447700900123"),
        ("13012345678", "US", "13012345678"),
        ("4915112345678", "DE", "4915112345678"),  # digits that a fixed line in Leer may have too
        ("6281234567890", "ID", "6281234567890"),
        ("393331234567", "IT", "393331234567"),
        ("79161234567", "RU", "79161234567"),
        # Stated outright.
        ("+13012345678", "CN", "13012345678"),
        ("0013012345678", "CN", "13012345678"),
        ("011 44 7700 900123", "US", "447700900123"),
        ("0011 44 7700 900123", "AU", "447700900123"),
        ("010 44 7700 900123", "JP", "447700900123"),
        ("8 10 44 7700 900123", "RU", "447700900123"),
        ("0039 333 1234567", "IT", "393331234567"),
        # Not phones.
        ("110", "CN", None),
        ("112", "DE", None),
        ("10086", "CN", None),
        ("10690001", "CN", None),
        ("106900018812", "CN", None),
        ("555 0123", "US", None),
        ("139123456789", "CN", None),
        ("0770090012", "GB", None),
    ],
)
def test_national_numbers_of_a_stated_region(written: str, region: str, number: str | None) -> None:
    if number is None:
        with pytest.raises(NumberError, match="code"):
            read(written, region)
    else:
        assert read(written, region) == number


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("33612345678", "DE"),  # 03361 is Fürstenwalde, and a spreadsheet takes zeros
        ("447700900123", "DE"),
        ("6581234567", "IN"),
    ],
)
def test_bare_digits_of_a_fixed_line_here_and_a_phone_abroad_are_refused(
    written: str, region: str
) -> None:
    with pytest.raises(NumberError, match=r"may be a fixed line .* and a phone of .*write \+"):
        read(written, region)
    assert read(f"+{written}", region) == written
    assert read(f"0{written}", region) != written


def test_a_region_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(KeyError):
        read("07700900123", "XX")


def mobiles() -> list[tuple[str, phonenumbers.PhoneNumber]]:
    """A mobile number of each region."""
    found = []
    for name in sorted(REGIONS):
        example = phonenumbers.example_number_for_type(name, PhoneNumberType.MOBILE)
        if example is not None:
            found.append((name, example))
    return found


@pytest.mark.parametrize(("region", "example"), mobiles(), ids=[name for name, _ in mobiles()])
def test_every_region_s_mobiles_in_the_forms_of_their_country(
    region: str, example: phonenumbers.PhoneNumber
) -> None:
    number = phonenumbers.format_number(example, PhoneNumberFormat.E164)[1:]
    code = str(example.country_code)
    at_home = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
    for written in (
        phonenumbers.format_number(example, PhoneNumberFormat.E164),
        phonenumbers.format_number(example, PhoneNumberFormat.INTERNATIONAL),
        phonenumbers.format_number(example, PhoneNumberFormat.RFC3966),
        f"00{number}",
    ):
        assert read(written) == number
        assert from_carrier(written, 0, "") == number
    assert read(at_home, region) == number
    assert read(f"+{code} {at_home}") == number
    assert read(number) == number
    assert from_carrier(number, 1, "") == number
    assert same_phone(number, at_home)
    if region == phonenumbers.region_code_for_country_code(int(code)):
        assert from_carrier(at_home, 2, code) == number
        assert from_carrier(at_home, 0, code) == number


@given(
    st.sampled_from(mobiles()), st.text("0123456789", max_size=4), st.sampled_from(sorted(REGIONS))
)
def test_a_space_changes_nothing(
    mobile: tuple[str, phonenumbers.PhoneNumber], end: str, region: str
) -> None:
    number = phonenumbers.format_number(mobile[1], PhoneNumberFormat.E164)[1:]
    digits = number[: len(number) - len(end)] + end

    def reading(written: str) -> str | None:
        try:
            return read(written, region)
        except NumberError:
            return None

    assert reading(digits) == reading(f"{digits[:3]} {digits[3:]}")


@given(st.text(max_size=24) | st.text("0123456789+ -()", max_size=20))
def test_what_is_read_is_a_number_and_stays_so(written: str) -> None:
    for region in (None, "CN", "DE", "US"):
        try:
            number = read(written, region)
        except NumberError as error:
            assert str(error)  # noqa: PT017  # what it says, not that it comes
            continue
        assert number.isascii()
        assert number.isdigit()
        assert 7 <= len(number) <= 15
        assert read(f"+{number}") == read(f"00{number}") == number
        # Bare digits of an area code that no table has may be a national number somewhere.
        bare = "US" if number.startswith("1") else None
        assert read(number, bare) == number
        assert kind_of(number)


# --- what carriers write ---

ANY, INTERNATIONAL, NATIONAL, NETWORK, SUBSCRIBER, ALPHANUMERIC, ABBREVIATED = range(7)


@pytest.mark.parametrize(
    ("written", "ton", "country_code", "number"),
    [
        # A number with its country code, whatever country is stated.
        ("8613912345678", INTERNATIONAL, "", "8613912345678"),
        ("8613912345678", INTERNATIONAL, "86", "8613912345678"),
        ("8613912345678", ANY, "", "8613912345678"),
        ("+8613912345678", NATIONAL, "", "8613912345678"),
        ("008613912345678", NATIONAL, "", "8613912345678"),
        ("008613912345678", ANY, "86", "8613912345678"),
        ("447700900123", NATIONAL, "86", "447700900123"),  # a traveller's
        ("8613912345678", NATIONAL, "86", "8613912345678"),
        ("4915112345678", NATIONAL, "49", "4915112345678"),
        ("447700900123", ANY, "49", "447700900123"),
        ("4407700900123", INTERNATIONAL, "", "447700900123"),
        # National, by what the carrier says of it.
        ("13012345678", NATIONAL, "86", "8613012345678"),
        ("13912345678", NATIONAL, "86", "8613912345678"),
        ("2025550123", NATIONAL, "1", "12025550123"),
        ("7700900123", NATIONAL, "44", "447700900123"),
        ("07700900123", NATIONAL, "44", "447700900123"),
        ("01711234567", NATIONAL, "49", "491711234567"),
        ("612345678", NATIONAL, "33", "33612345678"),
        ("0690123456", NATIONAL, "33", "590690123456"),
        ("91234567", NATIONAL, "65", "6591234567"),
        ("3331234567", NATIONAL, "39", "393331234567"),
        ("612345678", NATIONAL, "34", "34612345678"),
        ("89161234567", NATIONAL, "7", "79161234567"),
        ("13912345678", SUBSCRIBER, "86", "8613912345678"),
        ("4641234", NATIONAL, "1268", "12684641234"),
        # National, though the carrier does not say so, or says otherwise.
        ("13912345678", ANY, "86", "8613912345678"),
        ("13912345678", INTERNATIONAL, "86", "8613912345678"),
        ("+13912345678", INTERNATIONAL, "86", "8613912345678"),
        ("2025550123", ANY, "1", "12025550123"),
        ("2025550123", INTERNATIONAL, "1", "12025550123"),
        ("07700900123", INTERNATIONAL, "44", "447700900123"),
        ("612345678", INTERNATIONAL, "33", "33612345678"),
        # What could be both: the type of number decides, and without one the stated country.
        ("13012345678", INTERNATIONAL, "86", "13012345678"),
        ("+13012345678", NATIONAL, "86", "13012345678"),
        ("0013012345678", NATIONAL, "86", "13012345678"),
        ("13012345678", ANY, "86", "8613012345678"),
        ("13012345678", SUBSCRIBER, "86", "8613012345678"),
        ("13012345678", ANY, "1", "13012345678"),
        ("18002345678", INTERNATIONAL, "86", "18002345678"),
        ("18002345678", ANY, "86", "8618002345678"),
        ("6593925750", INTERNATIONAL, "91", "6593925750"),
        ("6593925750", NATIONAL, "91", "916593925750"),
        ("6593925750", ANY, "91", "916593925750"),
        ("6581234567", NATIONAL, "91", "6581234567"),  # a fixed line in India sends no texts
        # But a phone goes before a fixed line: an Indonesian mobile, not Japan's 0234.
        ("81234567890", INTERNATIONAL, "62", "6281234567890"),
        # Without a country, whose it is cannot be known.
        ("13012345678", NATIONAL, "", None),
        ("13912345678", NATIONAL, "", None),
        ("13912345678", ANY, "", None),
        ("13912345678", INTERNATIONAL, "", None),
        ("8613912345678", NATIONAL, "", None),
        ("2025550123", ANY, "", None),
        ("07700900123", ANY, "", None),
        ("07700900123", INTERNATIONAL, "", None),
        ("612345678", INTERNATIONAL, "", None),
        # Nor of bare digits that are a fixed line's abroad: they may be a phone's at home, in Los
        # Angeles or Chicago.
        ("3237654321", ANY, "", None),
        ("3237654321", ANY, "1", "13237654321"),
        ("3237654321", INTERNATIONAL, "", "3237654321"),
        ("7735550123", ANY, "", None),
        ("4407700900123", ANY, "", "447700900123"),
        ("442079460000", ANY, "", "442079460000"),
        ("541123456789", ANY, "", "541123456789"),
        ("13012345678", ANY, "", "13012345678"),
        # Digits that are no number of any country's.
        ("999123456789", INTERNATIONAL, "86", None),
        ("861391234567", INTERNATIONAL, "86", None),
        ("12345678901234567890", INTERNATIONAL, "86", None),
        # No phones.
        ("10086", ANY, "86", None),
        ("10690001", NATIONAL, "86", None),
        ("106900018812", ANY, "86", None),
        ("62503", NETWORK, "1", None),
        ("8613912345678", NETWORK, "86", None),
        ("62503", ABBREVIATED, "1", None),
        ("62503", ANY, "1", None),
        ("911", ANY, "1", None),
        ("ALIPAY", ALPHANUMERIC, "86", None),
        ("8613912345678", ALPHANUMERIC, "86", None),
        ("ALIPAY", ANY, "86", None),
        ("", ANY, "86", None),
        ("", INTERNATIONAL, "", None),
        ("+", INTERNATIONAL, "86", None),
        ("0", NATIONAL, "86", None),
        # A country that is none says nothing.
        ("13912345678", NATIONAL, "999", None),
    ],
)
def test_sources_as_carriers_write_them(
    written: str, ton: int, country_code: str, number: str | None
) -> None:
    assert from_carrier(written, ton, country_code) == number


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8613912345678", "8613912345678", True),
        ("8613912345678", "+8613912345678", True),
        ("8613912345678", "008613912345678", True),
        ("8613912345678", "08613912345678", True),
        ("8613912345678", "13912345678", True),
        ("447700900123", "07700900123", True),
        ("07700900123", "447700900123", True),
        ("447700900123", "4407700900123", True),
        ("12025550123", "2025550123", True),
        ("79161234567", "89161234567", True),
        ("525512345678", "5215512345678", True),
        ("541112345678", "01115 1234 5678", True),
        ("551187654321", "5511987654321", True),
        ("551187654321", "11987654321", True),
        ("8613912345678", "8613912345679", False),
        ("8613912345678", "13912345679", False),
        ("8613012345678", "13012345678", True),  # as it is written in China
        ("13012345678", "3012345678", True),
        ("447700900123", "33700900123", False),
        ("447700900123", "900123", False),
        ("447700900123", "", False),
        ("", "", True),
        ("ALIPAY", "8613912345678", False),
        ("ALIPAY", "ALIPAY", True),
        ("10690001", "10690002", False),
    ],
)
def test_same_phone(one: str, other: str, same: bool) -> None:
    assert same_phone(one, other) is same
    assert same_phone(other, one) is same
