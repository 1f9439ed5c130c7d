"""What ``gateway check`` says of opt-outs: phones that would not be heard."""

from typing import Any

import msgspec
import pytest

from gateway.policy.optout import OptoutOptions
from gateway.policy.optout_advice import silent, without_effect

DROPS = "regions.{}.keywords: takes the place of the words that opt out there alone, and so drops "
CN_WORDS = ["T", "TD", "R", "N", "qx", "退订"]


@pytest.mark.parametrize(
    ("written", "begins"),
    [
        # Nothing that opts out, or not what everybody says.
        ({"keywords": []}, ["keywords: has no words"]),
        ({"keywords": ["!!"]}, ["keywords: has no words", "keywords[0]: '!!' has no letter"]),
        ({"keywords": ["退订", "TD"]}, ["keywords: takes the place of the known words and lacks"]),
        ({"keywords": ["Stop.", "退订"]}, []),
        ({"regions": {"CN": {"keywords": []}}},
         [DROPS.format("CN") + "t, n, r, qx"]),
        ({"regions": {"CN": {"keywords": ["TD", "r", "退订"]}}},
         [DROPS.format("CN") + "t, n, qx"]),
        ({"regions": {"CN": {"keywords": CN_WORDS}}}, []),
        ({"regions": {"FR": {"keywords": ["NON", "fin"]}, "BR": {"keywords": ["NAO"]}}}, []),
        ({"regions": {"TR": {"keywords": ["iptal"]}}},
         [DROPS.format("TR") + "ret, red, dur"]),
        # What no text can be.
        ({"keywords": ["STOP", "…", "\N{OCTAGONAL SIGN}", " "]},
         ["keywords[1]: '…' has no", "keywords[2]: '\N{OCTAGONAL SIGN}' has no",
          "keywords[3]: ' ' has no"]),
        ({"help": ["?"], "start": [""]}, ["start[0]: '' has no", "help[0]: '?' has no"]),
        ({"regions": {"IN": {"start": ["+"]}}}, ["regions.IN.start[0]: '+' has no"]),
        ({"keywords": ["stop", "stop all texts from this shop please"]}, []),
        ({"keywords": ["stop", "stop" + " all of it" * 6]},
         ["keywords[1]: 'stop all of it all of it all o"]),
        ({"regions": {"CN": {"keywords": [*CN_WORDS, "请不要再给我发任何形式的推销短信了"]}}},
         ["regions.CN.keywords[6]: '请不要再给我发任何形式的推销短信了' has 17"]),
        # One word for two things.
        ({"keywords": ["STOP", "OK"], "start": ["ok", "START"]},
         ["start[0]: 'ok' opts phones out too, which goes first"]),
        ({"start": ["Stop!"]}, ["start[0]: 'Stop!' opts phones out too"]),
        ({"start": ["R", "BACK"]}, ["start[0]: 'R' opts phones of CN out too"]),
        ({"start": ["dur"]}, ["start[0]: 'dur' opts phones of CY, TR out too"]),
        ({"regions": {"FR": {"keywords": ["NON", "FIN"], "start": ["OUI", "non"]}}},
         ["regions.FR.start[1]: 'non' opts phones of FR out too"]),
        ({"help": ["START", "AIDE"]}, ["help[0]: 'START' has phones texted too"]),
        ({"help": ["arrêt"]}, ["help[0]: 'arrêt' opts phones out too"]),
        ({"keywords": ["STOP", "YES"]}, ["keywords[1]: 'YES' is a known word for start"]),
        ({"keywords": ["STOP", "YES"], "start": ["BACK"]}, []),
        ({"regions": {"DE": {"keywords": ["start"]}}},
         ["regions.DE.keywords[0]: 'start' is a known word for start"]),
        ({}, []),
    ],
)  # fmt: skip
def test_who_is_not_heard(written: dict[str, Any], begins: list[str]) -> None:
    lines = [*silent(msgspec.convert(written, OptoutOptions))]
    assert len(lines) == len(begins), lines
    for line, begin in zip(lines, begins, strict=True):
        assert line.startswith(begin)


@pytest.mark.parametrize(
    ("categories", "begins"),
    [
        ([], ["categories: is empty"]),
        (["otp"], ["categories: lacks marketing"]),
        (["otp", "transactional"], ["categories: lacks marketing"]),
        (["marketing"], []),
        (["marketing", "transactional"], []),
    ],
)
def test_what_an_opt_out_stops(categories: list[str], begins: list[str]) -> None:
    lines = [*without_effect(msgspec.convert({"categories": categories}, OptoutOptions))]
    assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=True)] == begins
