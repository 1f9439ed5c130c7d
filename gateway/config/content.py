"""The content keys of a configuration: word lists are read from their files and made ready, and
what names senders and carriers is checked against those that there are."""

from msgspec import structs

from gateway.config import files
from gateway.config.keys import Tenant
from gateway.config.reading import Faults, meant
from gateway.policy.content.banned import compiled
from gateway.policy.content.links import domain_problem
from gateway.policy.content.options import (
    ContentOptions,
    WordFileError,
    WordList,
    shipped_words,
    signature_problems,
    words_of,
)
from gateway.policy.senders import ANY, normalise


def loaded(options: ContentOptions, carriers: set[str], faults: Faults) -> ContentOptions:
    """The options with all words of their lists, compiled: here nobody waits for it but whoever has
    the file read."""
    lists = []
    before = len(faults.lines)
    for index, one in enumerate(options.words):
        lists.append(_with_words(one, f"policy.content.words[{index}]", faults))
    for index, line in enumerate(options.optout_line):
        where = f"policy.content.optout_line[{index}].carriers"
        _check_known(where, line.carriers, carriers, "carrier", faults)
    found = structs.replace(options, words=tuple(lists))
    if len(faults.lines) == before and not list(found.problems()):
        for one in lists:
            compiled(one.words)
    return found


def _with_words(one: WordList, where: str, faults: Faults) -> WordList:
    words = one.words
    if one.shipped is not None:
        words += shipped_words(one.shipped)
    if one.file is not None:
        data = files.read(one.file, f"{where}.file", faults)
        if data and not faults.at(f"{where}.file"):  # of one too large there is the beginning only
            try:
                words += words_of(data)
            except WordFileError as error:
                faults.add(f"{where}.file", f"{one.file!r}: {error}")
    return structs.replace(one, words=words)


def check_tenant(where: str, tenant: Tenant, carriers: set[str], faults: Faults) -> None:
    """A tenant's domains and signatures."""
    for index, domain in enumerate(tenant.domains):
        if why := domain_problem(domain):
            faults.add(f"{where}.domains[{index}]", why)
    senders = {normalise(sender) for sender in tenant.senders}
    names: dict[str, int] = {}
    for index, signature in enumerate(tenant.signatures):
        place = f"{where}.signatures[{index}]"
        for key, why in signature_problems(signature):
            faults.add(f"{place}.{key}", why)
        first = names.setdefault(signature.name, index)
        if first != index:
            faults.add(f"{place}.text", f"the same as {where}.signatures[{first}].text")
        if ANY not in tenant.senders:
            given = [normalise(one) or one for one in signature.senders]
            known = {one for one in senders if one is not None}
            _check_known(f"{place}.senders", given, known, "sender", faults)
        _check_known(f"{place}.carriers", signature.carriers, carriers, "carrier", faults)


def _check_known(
    where: str, names: tuple[str, ...] | list[str], known: set[str], what: str, faults: Faults
) -> None:
    for index, name in enumerate(names):
        if name not in known:
            faults.add(f"{where}[{index}]", f"there is no {what} {name[:64]!r}{meant(name, known)}")
