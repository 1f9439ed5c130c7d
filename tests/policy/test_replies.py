"""What the gateway says to phones by itself."""

import re

import pytest

from gateway.policy.keywords import Vocabulary
from gateway.policy.optout import OptoutOptions, OptoutRegion
from gateway.policy.regions import REGIONS
from gateway.policy.replies import Kind, Texts, answer, language_of, problems
from gateway.text.measuring import measure

TABLE = {"CN": "cn", "zh": "zh", "fr": "fr", "default": "{name} rest"}


@pytest.mark.parametrize(
    ("stated", "of_region", "region", "spoken", "expected"),
    [
        ("{name}: out", None, "CN", "zh", "Acme: out"),
        ("", "region's", "CN", "zh", ""),
        (TABLE, None, "CN", "zh", "cn"),
        (TABLE, None, "CN", "en", "cn"),
        (TABLE, None, "SG", "zh", "zh"),
        (TABLE, None, "FR", "en", "fr"),
        (TABLE, None, "BE", "nl", "fr"),
        (TABLE, None, "DE", None, "Acme rest"),
        (TABLE, None, None, None, "Acme rest"),
        ({"CN": ""}, "region's", "CN", None, ""),
        ({"CN": "cn"}, "{name} region's", "FR", None, "Acme region's"),
        (None, "region's", "FR", None, "region's"),
        (None, "", "FR", None, ""),
        (None, None, "FR", None, "Acme : vous êtes désabonné(e) et ne recevrez plus nos messages."),
        (None, None, "GB", "en", "Acme: you have opted out and will get no more messages."),
        (None, None, None, None, "Acme: you have opted out and will get no more messages."),
        (None, None, "BE", "nl", "Acme: u bent afgemeld en ontvangt geen berichten meer."),
        (None, None, "US", "es", "Acme: se ha dado de baja y no recibirá más mensajes."),
        (None, None, "GB", "cy", "Acme: you have opted out and will get no more messages."),
        (None, None, "US", "zh", "【Acme】您已退订"),
        (None, None, "TW", "zh", "【Acme】您已退訂"),
        (None, None, "TW", "en", "【Acme】您已退訂"),
    ],
)
def test_the_text_that_fits_best_is_said(
    stated: Texts, of_region: str | None, region: str | None, spoken: str | None, expected: str
) -> None:
    said = answer("optout", stated, of_region, "Acme", region, spoken)
    assert said == expected or (len(expected) > 8 and said.startswith(expected))


def test_a_call_for_help_has_no_answer_unless_one_is_stated() -> None:
    assert answer("help", None, None, "Acme", "FR", None) == ""
    assert answer("help", "call {name}", None, "Acme", "FR", None) == "call Acme"


@pytest.mark.parametrize("kind", ["optout", "start", "still_out"])
def test_every_language_says_who_it_is_in_a_text_or_two(kind: Kind) -> None:
    for region in {None, *REGIONS}:
        said = answer(kind, None, None, "Harbour & Vale", region, None)
        assert "Harbour & Vale" in said
        assert "{" not in said
        assert measure(said).parts <= 2


def test_what_a_welcome_tells_people_to_reply_opts_out_where_it_is_said() -> None:
    vocabulary = Vocabulary(OptoutOptions())
    for region in {None, *REGIONS}:
        words = re.findall(r"\w+", answer("start", None, None, "", region, None))
        asked = [vocabulary.of(region).read(word) for word in words]
        assert "stop" in {one.request for one in asked if one is not None}, (region, words)


def test_languages_of_regions() -> None:
    spoken = {"CN": "zh", "HK": "zh-Hant", "BR": "pt", "AT": "de", "US": "en", "JP": "ja"}
    assert {region: language_of(region) for region in spoken} == spoken


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, []),
        ("", []),
        (TABLE, []),
        ("x" * 481, [""]),
        ({"CN": "x" * 481, "default": ""}, ["CN"]),
        ({"China": "", "xx": ""}, ["China", "xx"]),
    ],
)
def test_texts_that_cannot_be(stated: Texts, expected: list[str]) -> None:
    assert [name for name, _ in problems(stated)] == expected


def test_answers_of_a_region() -> None:
    region = OptoutRegion(confirmation="out", welcome="")
    assert region.answers == {"optout": "out", "start": ""}
    faulty = OptoutOptions(regions={"CN": OptoutRegion(confirmation="x" * 481)})
    assert faulty.problems()[0].startswith("regions.CN.confirmation: 'xxx")
