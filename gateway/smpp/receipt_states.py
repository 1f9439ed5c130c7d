"""What a carrier's word for what became of a part means: one table from words to message_state.

SMPP 3.4 (appendix B) names ten states in seven letters each. Carriers spell them out, misspell
them, give the reason instead (``DND``, ``NO_ROUTE``), hand on the codes of the Chinese protocols
behind them (``MK:0001``), or write the number. Case, and ``_``, ``-`` and ``.`` between
letters, do not matter. What no table knows has no state, and decides nothing.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

STATS: Final[Mapping[int, str]] = {
    0: "SCHEDULED",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
"""How the text of a receipt names each message_state (0 and 9 are SMPP 5.0's)."""

BY_STAT: Final[Mapping[str, int]] = {stat: state for state, stat in STATS.items()}
"""The other way round."""

StateName = Literal[
    "scheduled", "enroute", "delivered", "expired", "deleted", "undelivered", "accepted",
    "unknown", "rejected", "skipped",
]  # fmt: skip
"""How a configuration names each message_state."""

NAMES: Final[tuple[StateName, ...]] = (
    "scheduled", "enroute", "delivered", "expired", "deleted", "undelivered", "accepted",
    "unknown", "rejected", "skipped",
)  # fmt: skip
"""In the order of their numbers."""

_LISTED: Final[Mapping[int, str]] = {
    0: "SCHEDULED SCHEDLD",
    1: "ENROUTE BUFFRED BUFFERD BUFFERED ACKED PENDING QUEUED ENQUEUE ENQUEUED SENT SUBMITTED"
    " SUBMITD PROCESSING INPROGRESS TRANSIT RETRY RETRYING UNDETRM"
    " DELIVEREDTONETWORK MESSAGEWAITING DELIVERYUNCERTAIN",
    2: "DELIVRD DELIVERED DELIVERD DELIVRED DELVRD DELVERED DLVRD SUCCESS DISPLAYED READ SEEN"
    " DELIVEREDTOHANDSET DELIVEREDTOTERMINAL DELIVERYSUCCESS",
    3: "EXPIRED EXPIRD EXPIRE TIMEOUT TIMEDOUT",
    4: "DELETED DELETD CANCELLED CANCELED CANCELD",
    5: "UNDELIV UNDELIVRD UNDELIVERED UNDELIVERD UNDELIVRED UNDELIVERABLE UNDELIVER UNDELVRD"
    " UNDLVRD UNDLIV UNDEL NOTDELIVERED NOTDELIVRD NONDELIVERED DELIVERYFAILURE DELIVERYFAILED"
    " DELIVERYIMPOSSIBLE FINALFAILED FAILEDPERMANENT PERMFAILED PERMANENTFAILURE HLRFAILURE"
    " FAILED FAIL FAILURE FAILD ERROR ERR SYSERR SYSERROR SERVERERR NETERR HANDSETERR UNIDNTFY"
    " BLOCKED BLOCK BLACK BLACKLIST BLACKLISTED BLACKLST MBBLACK BARRED BARREDA ERRBARRED"
    " SERIESBLOCK SERIESBLK SPAM FILTERED DUPLICATE"
    " DND DNDNUMB DNDNUMBER DNDFAIL DNDFAILED DNDBLOCKED DNDREJECT DNDREJECTED"
    " NDNC NDNCFAIL NDNCFAILED NDNCREJECTED NCPR NCPRFAIL"
    " NCPRFAILED NCPRBLOCKED NOTOPTIN OPTOUT OPTEDOUT UNSUBSCRIBED"
    " NOROUTE NOROUTES UNROUTABLE UNROUTED ABSENT ABSENTSUB ABSENTSUBSCRIBER UNREACHABLE UNREACH"
    " NOTREACHABLE SWITCHEDOFF MOBOFF HANDSETBUSY BUSY MEMEXEC MEMEXC MEMFULL MEMORYFULL"
    " INVALID INVALIDSUB INVALIDSUBSCRIBER INVALIDNUM INVALIDNUMBER INVNUMBER INVNUM INVALIDDST"
    " INVDST INVSENDER INVALIDSENDER SENDERIDNOTFOUND UNKNOWNSUB UNKNOWNSUBSCRIBER"
    " TEMPLATENOTFOUND INVTEMPLATEMATCH NOCREDIT NOCREDITS NOCRED ZEROBAL"
    " INSUFFICIENTBALANCE INSUFFICIENTCREDIT",
    6: "ACCEPTD ACCEPTED ACCPTD ACCEPT",
    7: "UNKNOWN UNKNOW UNKNWN UNKWN UNKN NULL UNDETERMINED NODLROPTR",
    8: "REJECTD REJECTED REJECT REJCTD REJD REJECTEDMULTIPART DLTREJECTED IMSIREJECTED OUTPUTREJ"
    " REFUSED DENIED",
    9: "SKIPPED",
}  # fmt: skip
"""What carriers and aggregators publish that they write, and what Kannel and Jasmin understand."""

STATES: Final[Mapping[str, int]] = {
    word: state for state, words in _LISTED.items() for word in words.split()
}
"""The message_state that each word means."""

UNDELIVERABLE: Final = 5

_SEPARATORS = re.compile(r"(?<=[^\W\d_])[-_. ]+(?=[^\W\d_])")
_CODE = re.compile(
    r"(?!OK)[A-Z]{2}(?::[0-9A-Z]{1,8}|[0-9]{2,6})|(?:SMGP|SGIP|CMPP|LIMIT|R):-?[0-9][0-9A-Z:-]*"
)
"""The errors of CMPP, SMGP and SGIP gateways: MA to MN from message centres, CA and CB from
charging, DA and DB from the management of services, IA to ID from other gateways, and those that
Chinese platforms make up after their model. Success is never written so."""

_LONGEST = 64
"""Characters of a word that are looked at."""


class StateWords(dict[str, int | None]):
    """The message_state of each word as one carrier uses them: ``words["delivrd"]`` is 2, and None
    for a word that says nothing.

    Args:
        stated: what some words mean to this carrier, whatever they mean elsewhere. A word that
            ends in ``*`` stands for all that begin with it, ``*`` alone for all that are not known
            otherwise. A number stands for a message_state, be it in the text or a parameter.
    """

    def __init__(self, stated: Mapping[str, int] | None = None) -> None:
        given = {plain(word): state for word, state in (stated or {}).items()}
        self._otherwise = given.pop("*", None)
        self._families = sorted(
            ((word.rstrip("*-_. "), state) for word, state in given.items() if word[-1:] == "*"),
            key=lambda family: -len(family[0]),
        )
        self._given = {word: state for word, state in given.items() if word[-1:] != "*"}
        self._special = bool(self._given or self._families)
        super().__init__({word: self._state(word) for word in STATES})

    def __missing__(self, word: str) -> int | None:
        return self._state(plain(word))

    def numbered(self, number: int) -> int | None:
        """The message_state that a carrier tells by this number."""
        found = self._stated(str(number)) if self._special else None
        return number if found is None and number in STATS else found

    def _state(self, word: str) -> int | None:
        found = self._stated(word)
        if found is None:
            found = STATES.get(word)
        if found is None and word.isdecimal() and word.isascii() and int(word) in STATS:
            return int(word)
        if found is None and _CODE.fullmatch(word):
            found = UNDELIVERABLE
        if found is None:
            found = _dressed(word)
        return self._otherwise if found is None and word else found

    def _stated(self, word: str) -> int | None:
        found = self._given.get(word)
        if found is None:
            found = next((s for prefix, s in self._families if word.startswith(prefix)), None)
        return found


_dress = re.compile(r"[\[({<\"'*]*([A-Z]+)([^A-Z].*)?", re.DOTALL).fullmatch
_letters = re.compile("[A-Z]+").findall


def _dressed(word: str) -> int | None:
    """The state of a word in brackets, or with a reason or number behind it: ``[DELIVRD]``,
    ``UNDELIV:21``, ``EXPIRED(3)``. Words behind it that have another state leave it open."""
    match = _dress(word)
    found = STATES.get(match[1]) if match is not None else None
    if match is None or found is None:
        return None
    others = {STATES.get(other) for other in _letters(match[2] or "")}
    if found == _DELIVERED and others and ":" not in word:
        return None  # delivered, but something else is said of it
    return found if others <= {None, found} else None


_DELIVERED: Final = 2


def plain(word: str) -> str:
    """A word as tables have it: upper case, nothing between its letters; a number without zeros
    before it."""
    word = _SEPARATORS.sub("", word[:_LONGEST].strip().upper())
    return (word.lstrip("0") or "0") if word.isdecimal() and word.isascii() else word


WORDS: Final = StateWords()
"""What words mean to a carrier of which nothing else is stated."""
