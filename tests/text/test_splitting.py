import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from unicodedata import normalize

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import Encoding
from gateway.text.alphabets import DefaultAlphabet, decode
from gateway.text.errors import TooLongError
from gateway.text.measuring import measure
from gateway.text.splitting import Encoded, encode
from gateway.text.udh import Concat, concat_header, short_header

HEADER = len(concat_header(Concat(1, 1, 1)))
SHORT_HEADER = len(short_header(Concat(1, 1, 1)))
GSM7 = "@£\nΔ §aàzé" + "\f^{}\\[~]|€"
LATIN1_TOO = "@£\n §aàzé" + "\f^{}\\[~]|"
UCS2 = "中😀e\u0301\u200d🇫🇷👩🚀\r\n"


def texts(characters: str | None, most: int) -> st.SearchStrategy[str]:
    """Texts of every length up to ``most``, of which `st.text` by itself makes short ones."""
    of = st.characters(codec="utf-8") if characters is None else st.sampled_from(characters)
    return st.integers(1, most).flatmap(lambda size: st.text(of, min_size=size, max_size=size))


def octets_on_the_air(encoded: Encoded) -> list[int]:
    """What each part and its header take in a short message, which holds 140 octets."""
    header = HEADER if encoded.narrow else SHORT_HEADER
    if len(encoded.payloads) == 1:
        header = 0
    sizes = []
    for payload in encoded.payloads:
        if encoded.alphabet == "ucs2":
            sizes.append(header + len(payload))
        else:
            septets = sum(
                2 if c in "\f^{}\\[~]|€" else 1 for c in decode(payload, encoded.alphabet)
            )
            sizes.append(header + (septets * 7 + 7) // 8)
    return sizes


def check(text: str, default: DefaultAlphabet) -> Encoded:
    """What holds of every text, whatever headers its parts are to have."""
    encoding, parts = measure(text)
    narrow = measure(text, narrow=True).parts
    for hint, expected in ((0, parts), (parts, parts), (narrow, narrow), (math.inf, narrow)):
        encoded = encode(text, encoding, default, hint)
        if encoded.alphabet in {encoding, default}:
            assert len(encoded.payloads) == expected
            assert encoded.narrow == (narrow <= hint or parts == 1)
        else:
            assert len(encoded.payloads) in {
                measure(text, "ucs2", narrow=room).parts for room in (False, True)
            }
        assert max(octets_on_the_air(encoded)) <= 140
        assert decode(b"".join(encoded.payloads), encoded.alphabet) == text
        pieces = [decode(payload, encoded.alphabet) for payload in encoded.payloads]
        assert "".join(pieces) == text, "an escape pair or a surrogate pair is cut"
        assert all(pieces)
    return encoded


@pytest.mark.parametrize("default", ["gsm7", "latin1"])
class TestEveryText:
    @given(text=texts(GSM7, 700))
    def test_gsm7(self, text: str, default: DefaultAlphabet) -> None:
        assert check(text, default).alphabet in {default, "ucs2"}

    @given(text=texts(LATIN1_TOO, 700))
    def test_both(self, text: str, default: DefaultAlphabet) -> None:
        assert check(text, default).alphabet == default

    @given(text=texts(None, 300))
    def test_any(self, text: str, default: DefaultAlphabet) -> None:
        check(text, default)

    @given(text=texts(UCS2, 300))
    def test_ucs2(self, text: str, default: DefaultAlphabet) -> None:
        assert check("中" + text, default).alphabet == "ucs2"

    def test_real(self, corpus: list[str], default: DefaultAlphabet) -> None:
        for text in corpus:
            check(text, default)

    def test_real_and_long(self, corpus: list[str], default: DefaultAlphabet) -> None:
        for at in range(0, len(corpus), 20):
            check(" ".join(corpus[at : at + 20]), default)

    def test_real_as_ucs2(self, corpus: list[str], default: DefaultAlphabet) -> None:
        for text in corpus:
            encoded = encode(text, "ucs2", default)
            assert encoded.alphabet == "ucs2"
            assert len(encoded.payloads) == measure(text, "ucs2").parts
            assert decode(b"".join(encoded.payloads), "ucs2") == text


@pytest.mark.parametrize(
    ("text", "encoding", "default", "alphabet", "payloads"),
    [
        ("a@{", "gsm7", "gsm7", "gsm7", (b"a\0\x1b\x28",)),
        ("a@{", "gsm7", "latin1", "latin1", (b"a@{",)),
        ("a@{", "ucs2", "latin1", "ucs2", (b"\0a\0@\0{",)),
        ("5€", "gsm7", "latin1", "ucs2", (b"\x005\x20\xac",)),
        ("Ω", "gsm7", "latin1", "ucs2", (b"\x03\xa9",)),
        ("😀", "ucs2", "gsm7", "ucs2", (b"\xd8\x3d\xde\x00",)),
        ("a" * 160, "gsm7", "gsm7", "gsm7", (b"a" * 160,)),
        ("a" * 161, "gsm7", "gsm7", "gsm7", (b"a" * 152, b"a" * 9)),
        ("a" * 161, "gsm7", "latin1", "latin1", (b"a" * 152, b"a" * 9)),
        # An escape pair, and a surrogate pair, that would be cut goes to the next part whole.
        ("a" * 151 + "^" * 8, "gsm7", "gsm7", "gsm7", (b"a" * 151, b"\x1b\x14" * 8)),
        ("a" * 151 + "^" * 8, "gsm7", "latin1", "latin1", (b"a" * 151, b"^" * 8)),
        ("a" * 65 + "😀" * 3, "ucs2", "gsm7", "ucs2", (b"\0a" * 65, b"\xd8\x3d\xde\0" * 3)),
        # A line break stays in one part.
        ("\r\n" * 80, "gsm7", "gsm7", "gsm7", (b"\r\n" * 80,)),
        ("a" * 151 + "\r\n" * 5, "gsm7", "gsm7", "gsm7", (b"a" * 151, b"\r\n" * 5)),
    ],
)  # fmt: skip
def test_payloads(
    text: str,
    encoding: Encoding,
    default: DefaultAlphabet,
    alphabet: str,
    payloads: tuple[bytes, ...],
) -> None:
    encoded = encode(text, encoding, default, math.inf)
    assert (encoded.alphabet, encoded.payloads) == (alphabet, payloads)


@pytest.mark.parametrize(
    ("text", "parts", "sizes", "narrow"),
    [
        # An octet more in each part saves one; where it does not, the header has 16 bits.
        ("中" * 132, 2, (66, 66), True),
        ("中" * 133, 2, (67, 66), False),
        ("中" * 134, 2, (67, 67), False),
        ("中" * 135, 3, (66, 66, 3), True),
        ("a" * 304, 2, (152, 152), True),
        ("a" * 305, 2, (153, 152), False),
        ("a" * 306, 2, (153, 153), False),
        ("a" * 307, 3, (152, 152, 3), True),
        # What was counted for 16 bits is sent so, for 8 bits where that is needed only.
        ("中" * 134, 3, (66, 66, 2), True),
        ("中" * 132, 1, (67, 65), False),
        ("😀" * 67, 3, (66, 66, 2), True),
        ("😀" * 67, 2, (66, 66, 2), False),  # pairs leave the 67th unit empty
        # Escape pairs that one septet more would keep whole.
        ("a" + "€" * 151 + "a", 2, (153, 151), False),
    ],
    ids=lambda value: f"{value[:2]}, {len(value)}" if isinstance(value, str) else None,
)
def test_headers_that_save_a_part(
    text: str, parts: int, sizes: tuple[int, ...], narrow: bool
) -> None:
    encoding = measure(text).encoding
    encoded = encode(text, encoding, "gsm7", parts)
    octets = 2 if encoding == "ucs2" else 1
    assert tuple(len(payload) // octets for payload in encoded.payloads) == sizes
    assert encoded.narrow == narrow


def test_ucs2_for_want_of_latin1_may_need_too_many_parts() -> None:
    text = "€" + "a" * 255 * 67
    assert measure(text).encoding == "gsm7"
    assert len(encode(text, "gsm7", "gsm7").payloads) == 112
    with pytest.raises(TooLongError):
        encode(text, "gsm7", "latin1")


def test_what_a_carrier_without_its_shift_tables_gets() -> None:
    assert measure("ş" * 71, languages=["tr"]) == ("gsm7", 1)
    encoded = encode("ş" * 71, "gsm7", "gsm7", 1)
    assert (encoded.alphabet, len(encoded.payloads)) == ("ucs2", 2)


CLUSTERS = [
    "中", "a", "e\u0301", "\r\n", "🚀", "👨‍👩‍👧‍👦", "👍🏽", "❤️", "1️⃣", "🇫🇷", "🇨🇳",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "नि", "ก็",
    "\u1112\u1161\u11ab", "z" + "\u0323" * 40,
]  # fmt: skip


def pieces_of(text: str, parts: float = math.inf) -> list[str]:
    return [decode(payload, "ucs2") for payload in encode(text, "ucs2", "gsm7", parts).payloads]


def check_clusters(clusters: Sequence[str]) -> None:
    """No cut tears a cluster if there are as many parts as without any cut that does."""
    for parts, room in ((math.inf, 66), (0, 67)):
        check_cuts(clusters, pieces_of("".join(clusters), parts), room)


def check_cuts(clusters: Sequence[str], pieces: Sequence[str], room: int) -> None:
    parts, used = 1, 0
    for cluster in clusters:
        size = len(cluster.encode("utf-16-be")) // 2
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    ends = set(accumulate(map(len, pieces)))
    whole = ends <= set(accumulate(map(len, clusters)))
    if len(pieces) == 1 or parts == len(pieces):
        assert whole
    else:
        assert parts > len(pieces)
        assert not whole


@given(st.lists(st.sampled_from(CLUSTERS), min_size=20, max_size=200))
def test_clusters_stay_whole_wherever_the_fewest_parts_allow_it(clusters: list[str]) -> None:
    check_clusters(clusters)


# The first article of the Universal Declaration of Human Rights.
NATURAL = {
    "Arabic": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا وعليهم أن "
    "يعامل بعضهم بعضًا بروح الإخاء.",
    "Bengali": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে। তাঁদের বিবেক এবং বুদ্ধি "
    "আছে; সুতরাং সকলেরই একে অপরের প্রতি ভ্রাতৃত্বসুলভ মনোভাব নিয়ে আচরণ করা উচিত।",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें "
    "बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।",
    "Malayalam": "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചവരാണ്. "
    "അന്യോന്യം ഭ്രാതൃഭാവത്തോടെ പെരുമാറുവാനാണ് മനുഷ്യന് വിവേകബുദ്ധിയും മനസ്സാക്ഷിയും സിദ്ധമായിരിക്കുന്നത്.",
    "Tamil": "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் உரிமைகளிலும் "
    "சமமானவர்கள். அவர்கள் நியாயத்தையும் மனச்சாட்சியையும் இயற்பண்பாகப் பெற்றவர்கள். அவர்கள் ஒருவருடனொருவர் "
    "சகோதர உணர்வுப் பாங்கில் நடந்துகொள்ளல் வேண்டும்.",
    "Telugu": "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు. వారు వివేచన "
    "అంతఃకరణ సంపన్నులగుటచే పరస్పరము భ్రాతృభావముతో వర్తింపవలయును.",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม "
    "และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
    "Hangul spelled out": normalize(
        "NFD", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
    ),
    "Vietnamese spelled out": normalize(
        "NFD", "Tất cả mọi người sinh ra đều được tự do và bình đẳng."
    ),
    "emoji": "Happy birthday 🎂🎉 to you 👩🏽‍🚀❤️‍🔥 from all of us 👨‍👩‍👧‍👦 in 🇫🇷🇩🇪🇯🇵 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿! 1️⃣2️⃣3️⃣ ",
}  # fmt: skip


@pytest.mark.parametrize("language", NATURAL)
def test_no_letter_is_torn_in_any_script(language: str) -> None:
    text = NATURAL[language] * 3
    for start in range(len(NATURAL[language])):
        check_clusters(regex.findall(r"\X", text[start:]))


def test_a_family_moves_to_the_next_part_whole() -> None:
    family = "👨‍👩‍👧‍👦"
    assert pieces_of("中" * 60 + family) == ["中" * 60, family]
    rest = "中" * 55  # fills, with the family, the second part
    assert pieces_of("中" * 60 + family + rest) == ["中" * 60, family + rest]


def test_a_family_is_torn_where_keeping_it_would_cost_a_part() -> None:
    text = "中" * 60 + "👨‍👩‍👧‍👦" + "中" * 61  # 132 code units fill two parts
    assert [len(piece.encode("utf-16-be")) for piece in pieces_of(text)] == [132, 132]


def test_only_what_cannot_be_kept_is_torn() -> None:
    # Longer than a part, this one is torn anyhow; the flag after it is not.
    monster = "z" + "\u0323" * 100
    pieces = pieces_of(monster + "中" * 30 + "🇫🇷" + "中" * 20)
    assert [len(piece) for piece in pieces] == [66, 65, 22]
    assert pieces[2].startswith("🇫🇷")


def test_a_run_of_flags_is_cut_between_flags() -> None:
    pieces = pieces_of("🇫🇷" * 50)
    assert all(piece == "🇫🇷" * (len(piece) // 2) for piece in pieces)
    assert len(pieces) == measure("🇫🇷" * 50, narrow=True).parts


@given(st.lists(st.sampled_from(CLUSTERS), min_size=40, max_size=200))
def test_no_part_could_take_in_more(clusters: list[str]) -> None:
    """A part that is not full ends where it does for the sake of a cluster or of a pair."""
    pieces = pieces_of("".join(clusters))
    if len(pieces) > 1:
        ends = set(accumulate(map(len, clusters)))
        at = 0
        for piece, following in pairwise(pieces):
            at += len(piece)
            free = 66 - len(piece.encode("utf-16-be")) // 2
            pair = following[0] > "\uffff"
            assert free == 0 or (free == 1 and pair) or at in ends
