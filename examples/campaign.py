"""The campaign of the demo: who is texted what. Nothing is sent from here.

A made-up shop, Harbour & Vale (海岸百货 in Chinese), announces its winter sale, ships orders and
lets people sign in. As with every real list, some rows cannot be sent.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from gateway.api.wire import Message
from gateway.message import Category

SENDER: Final = "10690001"
SALE, REMINDER = "winter-sale", "fitting-reminder"

NAMES: Final = {
    "en": ("Amelia", "Oliver", "Priya", "Noah", "Grace", "Mateo", "Zoë", "Liam", "Fatima", "Jack"),
    "zh": ("王芳", "李伟", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽", "周杰", "吴婷"),
}

SALE_EN: Final = (
    "Harbour & Vale: {name}, winter coats are 20% off until Sunday. Show code {code} at the till "
    "or go to hv.example/w. Reply STOP to opt out",
    "{name}, your winter treat: £10 off any knitwear with {code}, in every shop and at "
    "hv.example. Harbour & Vale. STOP to opt out",
)
SALE_EN_LONG: Final = (
    "Harbour & Vale: Good morning {name}! The winter sale opens today, and as a member you may "
    "come in one hour before everybody else, from nine. Coats and boots are 20% off, knitwear is "
    "3 for 2, and with code {code} the tailor takes up your hems for nothing. On Sunday there is "
    "mulled cider at the door. Find your shop at hv.example/shops. Reply STOP to opt out",
    "Hi {name} ❄️ it is getting cold, and we have thought of you: a warm scarf comes free with "
    "every coat this week. Show code {code} at the till. Harbour & Vale, hv.example. STOP to opt "
    "out",
)
SALE_ZH: Final = (
    "【海岸百货】{name}，冬装上新，全场八折，凭码{code}再减20元，周日前有效。拒收请回复R",
    "【海岸百货】{name}，会员日到店即送围巾一条，出示{code}领取，数量有限。拒收请回复R",
)
SALE_ZH_LONG: Final = (
    "【海岸百货】亲爱的{name}，感谢您一年来的支持！冬季大促今日开始，会员可于上午九点提前一小时入场"
    "选购。大衣与靴子八折，针织衫买二送一，凭专属码{code}免费修改裤长。周末到店还有热饮和小礼品"
    "相送，名额有限，先到先得。详情请见 hv.example/cn 或咨询附近门店。拒收请回复R",
)
SHIPPED_EN: Final = (
    "Harbour & Vale: your order {order} has left our warehouse and arrives tomorrow between 9 and "
    "12. Follow it: hv.example/t/{order}",
)
SHIPPED_ZH: Final = (
    "【海岸百货】{name}，您的订单{order}已发货，预计明天上午送达，请保持电话畅通。",
)
SIGN_IN_EN: Final = ("{otp} is your Harbour & Vale sign-in code. It expires in 10 minutes.",)
SIGN_IN_ZH: Final = ("【海岸百货】验证码{otp}，10分钟内有效，请勿告诉他人。",)
FITTING: Final = ("Harbour & Vale: your fitting is tomorrow at 11. See you then, {name}!",)


class Kind(NamedTuple):
    """Texts of one kind, and what numbers they go to: each # is any digit."""

    name: str
    category: Category
    language: str
    numbers: Sequence[str]
    texts: Sequence[str]


GB_US: Final = ("4474########", "4478########", "1212#######", "1415#######")
CN: Final = ("86138########", "86150########", "86186########")

SALE_KIND: Final = Kind("sale, English", "marketing", "en", GB_US, SALE_EN)
SIGN_IN_KIND: Final = Kind("sign-in, English", "otp", "en", GB_US, SIGN_IN_EN)
FITTING_KIND: Final = Kind("reminder for tomorrow", "transactional", "en", GB_US, FITTING)

SHARES: Final = {
    SALE_KIND: 30,
    Kind("sale, English, long", "marketing", "en", GB_US, SALE_EN_LONG): 12,
    Kind("sale, Chinese", "marketing", "zh", CN, SALE_ZH): 24,
    Kind("sale, Chinese, long", "marketing", "zh", CN, SALE_ZH_LONG): 10,
    Kind("order shipped, English", "transactional", "en", GB_US, SHIPPED_EN): 8,
    Kind("order shipped, Chinese", "transactional", "zh", CN, SHIPPED_ZH): 6,
    SIGN_IN_KIND: 2,
    Kind("sign-in, Chinese", "otp", "zh", CN, SIGN_IN_ZH): 2,
}
"""How many of a hundred messages are of each kind; the others are special, see `Campaign`."""


class Night(NamedTuple):
    """A country where it may be night now."""

    name: str
    region: str
    zone: str
    numbers: str

    def clock(self, now: float) -> datetime:
        """What its clocks show."""
        return datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(self.zone))


AROUND_THE_WORLD: Final = (
    Night("New Zealand", "NZ", "Pacific/Auckland", "6421#######"),
    Night("Japan", "JP", "Asia/Tokyo", "8190########"),
    Night("Pakistan", "PK", "Asia/Karachi", "92300#######"),
    Night("South Africa", "ZA", "Africa/Johannesburg", "2782#######"),
    Night("Ghana", "GH", "Africa/Accra", "23324#######"),
    Night("Uruguay", "UY", "America/Montevideo", "5989#######"),
    Night("Peru", "PE", "America/Lima", "519########"),
    Night("Costa Rica", "CR", "America/Costa_Rica", "5068#######"),
)


def night(now: float) -> Night:
    """Where it is nearest to two in the morning."""

    def distance(place: Night) -> float:
        clock = place.clock(now)
        hours = abs(clock.hour + clock.minute / 60 - 2)
        return min(hours, 24 - hours)

    return min(AROUND_THE_WORLD, key=distance)


class Draft(NamedTuple):
    """A message to submit, and what kind it is of."""

    kind: str
    message: Message


class Campaign:
    """All messages of the demo, the same for the same seed but for where it is night.

    Attributes:
        drafts: what is submitted, in order.
        opted_out: numbers that have opted out, and are on the list none the less.
        night: where it is night.
        asleep: numbers there that the sale is announced to.
    """

    def __init__(self, size: int, now: float, seed: int = 11) -> None:
        self._random = Random(seed)
        self._numbers: set[str] = set()
        self.night = night(now)
        self.opted_out: list[str] = []
        self.asleep: list[str] = []
        self.drafts = [*self._kinds(size), *self._special(size, now), *self._mistakes(now)]
        self._random.shuffle(self.drafts)
        for index, draft in enumerate(self.drafts):
            draft.message.setdefault("key", f"demo-{index}")

    def _kinds(self, size: int) -> Iterator[Draft]:
        for kind, share in SHARES.items():
            for _ in range(size * share // 100):
                yield self._draft(kind)

    def _special(self, size: int, now: float) -> Iterator[Draft]:
        asleep = (self.night.numbers,)
        for _ in range(size // 20):
            draft = self._draft(SALE_KIND._replace(name="sale, at night", numbers=asleep))
            self.asleep.append(draft.message["to"])
            yield draft
        for _ in range(size // 200):
            yield self._draft(SIGN_IN_KIND._replace(name="sign-in, at night", numbers=asleep))
        for _ in range(size // 200):
            draft = self._draft(SALE_KIND._replace(name="sale, opted out"))
            self.opted_out.append(draft.message["to"])
            yield draft
        for _ in range(size // 200):
            draft = self._draft(FITTING_KIND)
            draft.message.update(send_at=now + 3600, campaign=REMINDER)
            yield draft

    def _mistakes(self, now: float) -> Iterator[Draft]:
        """Rows as they are found in real lists."""
        to, text = "+447400111222", "Harbour & Vale: hello!"
        mistakes: list[Message] = [
            *({"to": number, "text": text} for number in ("07400 111222", "+44", "n/a", "1e9")),
            *({"to": to, "text": ""} for _ in range(3)),
            {"to": to, "text": text, "from": "BigBank"},
            {"to": to, "text": "very long " * 5000},
            {"to": to, "text": SALE_ZH[0], "encoding": "gsm7"},
            {"to": to, "text": text, "expires_at": now - 60},
            {"to": to, "text": text, "send_at": now + 800 * 86_400},
        ]
        for message in mistakes:
            yield Draft("mistake", message)

    def _draft(self, kind: Kind) -> Draft:
        random = self._random
        text = random.choice(kind.texts).format(
            name=random.choice(NAMES[kind.language]),
            code=f"HV{random.randrange(10_000):04}",
            order=f"{random.randrange(10**7):07}",
            otp=f"{random.randrange(10**6):06}",
        )
        message: Message = {
            "to": self._number(random.choice(kind.numbers)),
            "text": text,
            "category": kind.category,
        }
        if kind.category == "marketing":
            message["campaign"] = SALE
        return Draft(kind.name, message)

    def _number(self, pattern: str) -> str:
        """A number that nobody has had yet."""
        digits, rest = pattern.rstrip("#"), pattern.count("#")
        while True:
            number = f"+{digits}{self._random.randrange(10**rest):0{rest}}"
            if number not in self._numbers:
                self._numbers.add(number)
                return number
