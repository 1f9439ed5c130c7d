"""Banned words are found however they are written, and nothing else is."""

# ruff: noqa: RUF001  the letters of many languages look alike

import pytest

from gateway.policy.content.banned import Words, problem, squeezed

WORDS = Words(
    [
        "最佳",
        "国家级",
        "第一品牌",
        "赌",
        "加V信",
        "free money",
        "viagra",
        "casino",
        "100%中奖",
        "ass",
    ]
)


@pytest.mark.parametrize(
    ("text", "word", "place", "written"),
    [
        ("全国最佳品质", "最佳", 2, "最佳"),
        ("国 家 级 品质", "国家级", 0, "国 家 级"),
        ("我们是国*家.级的", "国家级", 3, "国*家.级"),
        ("国\u200b家\u200b级", "国家级", 0, "国\u200b家\u200b级"),
        ("国家 级", "国家级", 0, "国家 级"),
        ("来赌场玩", "赌", 1, "赌"),
        ("请加v信领取", "加V信", 1, "加v信"),
        ("请加ｖ信领取", "加V信", 1, "加ｖ信"),
        ("请加Ｖ信领取", "加V信", 1, "加Ｖ信"),
        ("请加 V 信", "加V信", 1, "加 V 信"),
        ("现在100%中奖", "100%中奖", 2, "100%中奖"),
        ("FREE Money for you", "free money", 0, "FREE Money"),
        ("get free\n  money", "free money", 4, "free\n  money"),
        ("Viagra!", "viagra", 0, "Viagra"),
        ("V1AGRA now", "viagra", 0, "V1AGRA"),
        ("v i a g r a", "viagra", 0, "v i a g r a"),
        ("buy V.I.A.G.R.A", "viagra", 4, "V.I.A.G.R.A"),
        ("vi\u200bagra", "viagra", 0, "vi\u200bagra"),
        ("ｖｉａｇｒａ", "viagra", 0, "ｖｉａｇｒａ"),
        ("víagra", "viagra", 0, "víagra"),
        ("viаgra, in mixed letters", "viagra", 0, "viаgra"),
        ("𝐯𝐢𝐚𝐠𝐫𝐚", "viagra", 0, "𝐯𝐢𝐚𝐠𝐫𝐚"),
        ("c@sino", "casino", 0, "c@sino"),
        ("今晚 casino 开业", "casino", 3, "casino"),
        ("最佳 and free money", "最佳", 0, "最佳"),
        # Chinese around it, without a space.
        ("【店铺】v1agra拒收请回复R", "viagra", 4, "v1agra"),
        ("买viаgra吧", "viagra", 1, "viаgra"),
        ("【店铺】V.I.A.G.R.A回T退订", "viagra", 4, "V.I.A.G.R.A"),
        ("买 v i a g r a吧", "viagra", 2, "v i a g r a"),
    ],
)
def test_a_word_is_found_with_its_place(text: str, word: str, place: int, written: str) -> None:
    found = WORDS.find(text)
    assert found is not None
    assert (found.word, found.place, found.written) == (word, place, written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "最 新到店，佳品满减",
        "国家，级别",
        "第一。品牌日",
        "the class has a glass, and money is not free",
        "freemoney",
        "viagras",
        "a s s u r e",
        "加a s s u r e信",
        "I, s. s. Great",
        "casin0o",
        "сор",
        "加信",
        "100元",
        "你好，王小明，您的验证码是 481516",
    ],
)
def test_what_is_no_banned_word_passes(text: str) -> None:
    assert WORDS.find(text) is None


def test_a_phrase_of_one_script_does_not_look_like_one_of_another() -> None:
    assert Words(["cop"]).find("Вынесите сор из избы") is None
    assert Words(["cop"]).find("【店铺】сор") is None
    assert Words(["cop"]).find("call a cоp, please, now") is not None


def test_numbers_stay_whole() -> None:
    assert Words(["99元"]).find("只要9.9元") is None
    assert Words(["99元"]).find("只要99元") is not None


def test_every_word_of_a_long_list_is_found() -> None:
    han = [chr(0x4E00 + 7 * n) + chr(0x5000 + 11 * n) + chr(0x6000 + n) for n in range(1000)]
    latin = [f"{word}{n:x}" for n, word in enumerate(["spam", "scam", "ham"] * 300)]
    words = Words([*han, *latin])
    for word in han:
        assert words.find(f"您好{word}，再见") is not None, word
        assert words.find(f"您好{' '.join(word)}，再见") is not None, word
    for word in latin:
        assert words.find(f"hello {word.upper()}!") is not None, word


def test_real_texts_have_no_word_that_is_not_in_them(corpus: list[str]) -> None:
    """What the quick look passes over, the thorough one does not find either."""
    words = Words(["你好", "谢谢", "明天", "今晚", "okay", "good night", "haha", "lor", "see you"])
    plain = {squeezed(word) for word in ("你好", "谢谢", "明天", "今晚")}
    for text in corpus:
        found = words.find(text)
        if found is None:
            assert not any(word in text for word in plain), text
            assert " haha " not in text.casefold(), text
            assert "good night" not in text.casefold().replace("goodgood", ""), text
        else:
            assert text[found.place : found.place + len(found.written)] == found.written


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "no letter or digit"),
        ("！！", "no letter or digit"),
        ("a", "one letter"),
        ("7", "one letter"),
        ("x" * 65, "65 characters"),
        ("赌", ""),
        ("ok", ""),
    ],
)
def test_what_cannot_be_banned(word: str, why: str) -> None:
    assert why in problem(word)
    assert bool(problem(word)) == bool(why)
