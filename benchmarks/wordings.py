"""What it costs to make texts and to judge them: content rules, templates, smart encoding, budgets;
steps of `benchmarks.micro`, each in nanoseconds a message."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from msgspec import structs

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy import chain
from gateway.policy.budget import Budget
from gateway.policy.caps import FrequencyCap
from gateway.policy.consent import ConsentOptions
from gateway.policy.content.judging import Contents
from gateway.policy.content.options import (
    Ban,
    ContentOptions,
    OptoutLine,
    SignatureOptions,
    WordList,
)
from gateway.policy.content.optout_lines import OptoutLines
from gateway.policy.content.signatures import Signatures
from gateway.policy.destinations import DestinationOptions
from gateway.policy.prices import PriceOptions, Prices, Tariff
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.policy.repeats import RepeatOptions
from gateway.policy.template_matching import Book
from gateway.policy.templates import Definition, Template, Variable
from gateway.policy.unreachable import UnreachableOptions
from gateway.text.smart import smart

WORDS = 30_000
CARRIERS = {"default": ("alpha",)}
LINE = OptoutLine(region="CN", text="拒收请回复R")
PRICE = PriceOptions(tariffs=(Tariff(carrier="alpha", price=0.05),))

Steps = Iterator[tuple[str, Callable[[], object]]]


def words() -> tuple[str, ...]:
    """Banned words, two thirds of them Chinese, of which no text has any."""
    heads = "赌枪毒嫖骗贷彩瘾癌裸淫娼"
    han = [
        f"{head}{chr(0x6C00 + n)}{chr(0x7000 + 3 * n)}" for head, n in product(heads, range(1667))
    ]
    latin = [f"{word}{n:x}" for word, n in product(("casino", "viagra", "payday"), range(3334))]
    return (*han, *latin)[:WORDS]


def steps(english: Sequence[Message], chinese: Sequence[Message], now: float) -> Steps:
    """Each rule, and each step of a text's making, alone."""
    banned = Contents(ContentOptions(words=(WordList(name="bench", words=words()),)))
    linked = Contents(ContentOptions(links="registered", shorteners="refuse"), ("example.com",))
    barred: dict[str, frozenset[Ban]] = {"default": frozenset({"phones", "contacts"})}
    contacts = Contents(ContentOptions(), (), barred)
    for name, rule in (("banned words", banned), ("links", linked), ("contacts", contacts)):
        for kind, made in (("english", english), ("chinese", chinese)):
            yield f"policy: {name}, {kind}", _judging(rule.judge, made, now)
    signatures = Signatures((SignatureOptions(text="小店"),), CARRIERS)
    lines = OptoutLines((LINE,), CARRIERS)
    yield (
        "policy: signature",
        lambda: [signatures.put(m.text, m.sender, m.route) for m in chinese],
    )
    yield (
        "policy: opt-out line",
        lambda: [lines.put(m.text, m.to, m.category, m.route) for m in chinese],
    )
    yield "text: smart encoding", lambda: [smart(f"{m.text} – “now”") for m in english]
    template = Template(
        "coupon",
        1,
        Definition(
            "亲爱的${name}，您的${value}元券${code}已到账，点击 example.com 领取",
            vars={"value": Variable("digits", 4), "code": Variable("code", 12)},
        ),
    )
    values: list[dict[str, str | int | float]] = [
        {"name": "王小明", "value": n, "code": f"A{n:05}"} for n in range(len(chinese))
    ]
    texts = [str(template.fill(one)) for one in values]
    book = Book([template])
    yield "policy: template, fill", lambda: [template.fill(one) for one in values]
    yield "policy: template, match", lambda: [list(book.made_with(text)) for text in texts]
    budget = Budget(1 << 60, 1 << 40, Prices(PRICE), CARRIERS)
    charges = budget.charges(english)
    charged = [structs.replace(m, charges=c) for m, c in zip(english, charges, strict=True)]
    yield "policy: budget, charge", lambda: budget.charges(english)
    yield "policy: budget, judge", _judging(budget.judge, charged, now)
    for kind, made in (("english", english), ("chinese", chinese)):
        name = "policy: admission chain, every rule"
        yield f"{name}, {kind}", _whole(made, frozenset(), now)
        yield f"{name} and ban, {kind}", _whole(made, frozenset({"phones", "contacts"}), now)


def _judging(
    judge: Callable[[Sequence[Message], Facts, float], object],
    made: Sequence[Message],
    now: float,
) -> Callable[[], object]:
    return lambda: judge(made, Facts(), now)


def _whole(made: Sequence[Message], bans: frozenset[Ban], now: float) -> Callable[[], object]:
    """The admission chain with every rule on, where the carriers ban this."""
    options = chain.PolicyOptions(
        quiet_hours=QuietHoursOptions(open="00:00-24:00"),
        consent=ConsentOptions(require=("*",)),
        frequency=(FrequencyCap(category="marketing", max=3, per="7d"),),
        content=ContentOptions(
            words=(WordList(name="bench", words=words()),),
            links="registered",
            shorteners="refuse",
            max_parts=4,
            optout_line=(LINE,),
        ),
        price=PRICE,
        repeats=RepeatOptions(per="30d"),
        destinations=DestinationOptions(
            allowed=("CN",), kinds=("mobile",), blocked=("8617",), watched=("CN",)
        ),
        unreachable=UnreachableOptions(categories=frozenset({"marketing"})),
    )
    own = chain.TenantOptions(
        senders=(made[0].sender,), domains=("example.com",), balance=1e9, quota=1 << 29
    )
    policy = chain.build(options, {"all": own}, None, {"default": bans}, CARRIERS)["all"]
    budget, frequency = policy.budget, policy.frequency
    if budget is None or frequency is None:
        raise AssertionError("every rule is on")
    charged = zip(made, budget.charges(made), strict=True)
    ready = [frequency.marked(structs.replace(m, charges=c)) for m, c in charged]
    consents = {m.to: frozenset({"marketing"}) for m in made}
    facts = Facts(consents=consents, unreachable={"86100": now})
    if policy.admission.judge(ready, facts, now):
        raise AssertionError("nothing is against these texts")
    return lambda: policy.admission.judge(ready, facts, now)
