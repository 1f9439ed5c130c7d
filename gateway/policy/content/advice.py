"""What an operator should know of the content rules that a configuration comes to: rules that can
never apply, and texts that can never pass. All of it is allowed."""

from collections.abc import Iterator, Mapping

from gateway.message import CATEGORIES
from gateway.policy.chain import TenantOptions
from gateway.policy.content.banned import compiled
from gateway.policy.content.options import ContentOptions, OptoutLine, WordList


def never(options: ContentOptions) -> Iterator[str]:
    """Lists and lines that no message meets."""
    for index, one in enumerate(options.words):
        if not one.categories:
            yield f"words[{index}].categories: is empty, so the list bans nothing; name some"
    first: dict[tuple[str, str], int] = {}
    for index, line in enumerate(options.optout_line):
        earlier = first.get((line.region, line.category))
        if earlier is not None:
            yield (
                f"optout_line[{index}]: is never used: optout_line[{earlier}] is for the same "
                "region and category and for every carrier; put this one before it"
            )
        elif not line.carriers:
            first[line.region, line.category] = index
        here = [(at, one) for at, one in enumerate(options.words) if _meet(one, line)]
        for at, one in here:
            if (found := compiled(one.words).find(line.text)) is not None:
                yield (
                    f"optout_line[{index}].text: has {found.word!r}, which words[{at}] bans, so all"
                    " texts with it are refused; word it otherwise"
                )
    if not options.categories and (
        options.links == "registered" or options.shorteners == "refuse" or options.max_parts
    ):
        yield "categories: is empty, so links, shorteners and max_parts hold for nothing"


def _meet(words: WordList, line: OptoutLine) -> bool:
    """Whether all texts with a line are looked through for these words."""
    here = not words.regions or not {line.region, line.region[:2]}.isdisjoint(words.regions)
    return here and line.category in words.categories


def tenants(options: ContentOptions, own: Mapping[str, TenantOptions]) -> Iterator[tuple[str, str]]:
    """Tenants whose texts can hardly pass: by name, the key and what follows."""
    everywhere = [
        (at, one)
        for at, one in enumerate(options.words)
        if one.categories.issuperset(CATEGORIES) and not one.regions
    ]
    for name, tenant in own.items():
        for index, signature in enumerate(tenant.signatures):
            for at, one in everywhere if tenant.content else ():
                if (found := compiled(one.words).find(signature.name)) is not None:
                    why = f"has {found.word!r}, which policy.content.words[{at}] bans"
                    mend = "so texts with it are refused; take it off that list"
                    yield name, f"signatures[{index}].text: {why}, {mend}"
        if options.links == "registered" and tenant.content and not tenant.domains:
            why = (
                "is empty where policy.content.links is 'registered', so all its links are refused"
            )
            yield name, f"domains: {why}; list its domains"
        for index, signature in enumerate(tenant.signatures):
            earlier = next(
                (
                    at
                    for at, one in enumerate(tenant.signatures[:index])
                    if not one.senders and not one.carriers
                ),
                None,
            )
            if earlier is not None and signature.on_missing == "refuse":
                why = f"is never looked at: signatures[{earlier}] is for every sender and carrier"
                yield name, f"signatures[{index}].on_missing: {why}; put this one before it"
