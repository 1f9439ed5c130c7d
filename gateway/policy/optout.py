"""Opt-outs: the rule that heeds them, and the keywords by which phones send them.

Who is opted out is the store's to know and arrives as `Facts.opted_out`. What happens on a keyword
(the list, the confirmation, the event) is `dispatch`'s.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from gateway.message import CATEGORIES, Category, Message
from gateway.policy.rules import Facts, Refuse, Verdicts

STOP: Final[dict[str, tuple[str, ...]]] = {
    "en": ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe", "stop all",
           "remove"),
    "fr": ("stop", "arret", "arrete"),
    "es": ("baja", "alto", "parar", "cancelar"),
    "pt": ("sair", "parar", "cancelar"),
    "de": ("stopp", "abmelden", "ende"),
    "it": ("annulla",),
    "zh": ("td", "退订", "拒收", "取消"),
}  # fmt: skip
"""Words that end a subscription, by language. English: the words that the FCC holds to be an
opt-out in themselves (in force since 2025-04-11), and what large providers add. The single letters
T, N and R of Chinese usage are left to the configuration: elsewhere they are answers."""

START: Final[dict[str, tuple[str, ...]]] = {
    "en": ("start", "unstop", "yes"),
    "fr": ("debut", "debuter", "nonarret"),
}
"""Words that take an opt-out back, by language."""

HELP: Final[dict[str, tuple[str, ...]]] = {"en": ("help", "info")}
"""Words that ask who is texting, by language."""

LONGEST: Final = 64
"""Characters beyond which a text is not read for keywords: it is more than a word."""


def all_of(words: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The words of every language, each once."""
    return tuple(dict.fromkeys(word for language in words.values() for word in language))


class OptoutOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.optout]``.

    Attributes:
        keywords: texts that opt a phone out.
        start: texts that take the opt-out back.
        help: texts that ask for help.
        categories: which messages an opt-out stops. All of them, unless somebody who knows the law
            of the place narrows it, say to keep one-time passwords apart.
        scope: whose texts a keyword stops: those of the tenant whose number was texted, or
            everybody's.
    """

    keywords: tuple[str, ...] = all_of(STOP)
    start: tuple[str, ...] = all_of(START)
    help: tuple[str, ...] = all_of(HELP)
    categories: frozenset[Category] = frozenset(CATEGORIES)
    scope: Literal["tenant", "global"] = "tenant"


class Keywords:
    """A set of keywords that a text may consist of.

    The whole text must be one of them; capitals, accents, width, spaces and punctuation do not
    matter, so that ``Stop!``, ``ARRÊT`` and ``opt-out`` are understood, "stop by at six" is not.
    """

    def __init__(self, keywords: Iterable[str]) -> None:
        self._words = frozenset(map(_bare, keywords)) - {""}

    def matches(self, text: str) -> bool:
        return len(text) <= LONGEST and _bare(text) in self._words


def _bare(text: str) -> str:
    """Letters and digits alone, without case, width and accents."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in unicodedata.normalize("NFD", folded) if char.isalnum())


class Optout:
    """Refuses messages to recipients who have opted out, as `opted_out`."""

    name = "optout"
    _REFUSE = Refuse("optout", "opted_out", "the recipient has opted out")

    def __init__(self, options: OptoutOptions) -> None:
        self._categories = options.categories

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        out = facts.opted_out
        if not out:
            return {}
        return {
            index: self._REFUSE
            for index, message in enumerate(messages)
            if message.to in out and message.category in self._categories
        }
