"""What texts from phones ask for: the table is ``asked.toml``."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.keywords import Correspondent, Keywords, Vocabulary
from gateway.policy.optout import OptoutOptions, OptoutRegion
from gateway.policy.words import words

VOCABULARY = Vocabulary(OptoutOptions())
SHOP = Correspondent("1069000188", ("Harbour & Vale", "harbour", "HVSHOP"))


def asked(text: str, region: str = "GB", to: Correspondent = SHOP) -> str | None:
    found = VOCABULARY.of(None if region == "--" else region).read(text, to)
    return found.request if found else None


CASES = tomllib.loads(Path(__file__).with_name("asked.toml").read_text())


@pytest.mark.parametrize("region", ["GB", "--"])
@pytest.mark.parametrize("text", [*CASES["stop"], "STOP " * 300])
def test_texts_that_opt_out(text: str, region: str) -> None:
    assert asked(text, region) == "stop"


@pytest.mark.parametrize(("region", "text"), CASES["local"])
def test_what_opts_out_in_some_regions_alone(region: str, text: str) -> None:
    assert asked(text, region) == "stop"
    for elsewhere in ("GB", "US", "PT", "--"):
        assert asked(text, elsewhere) is None


@pytest.mark.parametrize("region", ["GB", "DE", "--"])
@pytest.mark.parametrize("text", CASES["others"])
def test_texts_like_others(text: str, region: str) -> None:
    assert asked(text, region) is None


@pytest.mark.parametrize("text", CASES["suspected"])
def test_what_is_near_is_for_a_person_to_decide(text: str) -> None:
    assert asked(text) == "suspected"


@pytest.mark.parametrize(("text", "region"), CASES["start"])
def test_texts_that_take_it_back(text: str, region: str) -> None:
    assert asked(text, region) == "start"


@pytest.mark.parametrize("text", CASES["help"])
def test_texts_that_ask_who_is_there(text: str) -> None:
    assert asked(text) == "help"


def test_the_language_of_a_word_is_told_where_it_is_of_one() -> None:
    keywords = VOCABULARY.of("GB")
    for text, language in (
        ("退订", "zh"), ("afmelden", "nl"), ("İPTAL", "tr"), ("STOP", "en"), ("pomoc", None),
    ):  # fmt: skip
        found = keywords.read(text)
        assert found is not None
        assert found.language == language


# --- the tables themselves ---


@pytest.mark.parametrize("region", ["GB", "CN", "TR", "FI", "--"])
def test_no_keyword_means_two_things(region: str) -> None:
    keywords = VOCABULARY.of(None if region == "--" else region)
    file = words()
    for name, language in file.languages.items():
        for text in language.start:
            assert asked(text, region) in ("start", None), (name, text)
        for text in language.help:
            assert asked(text, region) in ("help", None), (name, text)
    assert not keywords.stop & keywords.start
    assert not keywords.help & (keywords.stop | keywords.start)


@pytest.mark.parametrize("language", sorted(words().languages))
def test_every_stop_word_stops_where_it_counts(language: str) -> None:
    file = words()
    for text in (*file.languages[language].stop, *file.languages[language].weak):
        where = file.local.get(text, ["GB", "--"])
        for region in where:
            for written in (text, text.upper(), f"  {text}!\n", f"„{text}“"):
                assert asked(written, region) == "stop", (written, region)


def test_words_are_in_the_table_for_a_reason() -> None:
    file = words()
    known = {
        word
        for one in file.languages.values()
        for word in (*one.stop, *one.weak, *one.start, *one.help)
    }
    assert file.local.keys() <= known
    for name, one in file.languages.items():
        for text in (*one.stop, *one.weak, *one.start, *one.help):
            assert re.fullmatch(r"\S+(?: \S+)*", text), (name, text)


# --- what a configuration states ---


def test_words_of_the_configuration_take_the_place_of_those_known() -> None:
    vocabulary = Vocabulary(OptoutOptions(keywords=("Ré-Parti", "...", "Basta!"), start=("go on",)))
    here = vocabulary.of("GB")
    assert here.read("REPARTI") is not None
    assert here.read("re parti")
    assert here.read("basta")
    assert here.read("STOP") is None
    assert here.read("") is None
    assert here.read("...") is None
    assert [asked.request for text in ("go on", "Go on please") if (asked := here.read(text))] == [
        "start", "start",
    ]  # fmt: skip
    assert here.read("START") is None
    in_china = vocabulary.of("CN")
    assert in_china.read("T")  # what counts in the region alone is its own list


def test_words_of_a_region_count_beside_those_that_count_everywhere() -> None:
    regions = {"CN": OptoutRegion(keywords=("T", "TD", "退订")), "GB": OptoutRegion(help=("who",))}
    vocabulary = Vocabulary(OptoutOptions(regions=regions))
    in_china, in_britain = vocabulary.of("CN"), vocabulary.of("GB")
    for text in ("T", "TD", "退订", "STOP", "拒收"):
        assert in_china.read(text)
    assert in_china.read("R") is None
    assert in_britain.read("T") is None
    assert in_britain.read("who?")
    assert in_china.read("who?") is None


def test_a_word_in_two_lists_stops() -> None:
    keywords = Vocabulary(OptoutOptions(keywords=("yes", "help"))).of("GB")
    for text in ("yes", "help"):
        found = keywords.read(text)
        assert found is not None
        assert found.request == "stop"


def test_a_region_must_be_one() -> None:
    known = OptoutOptions(regions={"CN": OptoutRegion(), "TR": OptoutRegion()})
    assert known.problems() == []
    faulty = OptoutOptions(regions={"China": OptoutRegion(), "US-TX": OptoutRegion()})
    assert [line.partition(":")[0] for line in faulty.problems()] == [
        "regions.China", "regions.US-TX",
    ]  # fmt: skip


def test_every_word_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "optouts.md").read_text()
    for name, one in words().languages.items():
        for text in (*one.stop, *one.weak, *one.start, *one.help):
            assert f"`{text}`" in page, (name, text)


# --- anything at all ---


@given(st.text(), st.sampled_from(["CN", "GB", "TR", "--"]))
def test_any_text_can_be_read(text: str, region: str) -> None:
    assert asked(text, region) in ("stop", "start", "help", "suspected", None)
    assert not Keywords(None).read(text) or text.strip()


@given(st.text(alphabet="STOP stop!\n>退订TD回", max_size=4000))
def test_a_text_of_pieces_of_keywords_can_be_read(text: str) -> None:
    assert asked(text, "CN") in ("stop", "start", "help", "suspected", None)
