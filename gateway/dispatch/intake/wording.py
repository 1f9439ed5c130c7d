"""From what a tenant submits to the text that is sent: the steps, and their order.

1. **Template**: filled with the variables, or, where a tenant is held to approved ones, the text is
   one that a template can make (`gateway.policy.templates`).
2. **Signature**: put in front where it is missing (`gateway.policy.content.signatures`).
3. **Opt-out line**: put at the end where it is missing (`gateway.policy.content.optout_lines`).
4. **Smart encoding**: in GSM 03.38 where plain characters let it, all or nothing
   (`gateway.text.smart`); for tenants that ask for it, and messages that state no encoding.
5. **Measuring**: which encoding, how many parts (`gateway.text.measuring`), by the caller.

Each step sees what the one before it made; what rules judge, and ``quote`` shows, is the last. The
digest of an idempotency key is of what was submitted, whatever is made of it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from gateway.api.schema import SubmitMessage
from gateway.dispatch.release.routing import RouteOptions
from gateway.message import Approved, Category
from gateway.policy import templates
from gateway.policy.chain import TenantOptions
from gateway.policy.content.options import ContentOptions
from gateway.policy.content.optout_lines import OptoutLines
from gateway.policy.content.signatures import Signatures
from gateway.policy.rules import Refuse
from gateway.policy.template_matching import Book
from gateway.policy.templates import Template
from gateway.text.smart import smart


class Written(NamedTuple):
    """The text of a message, the ids by which carriers know its template, and what the text was
    before smart encoding changed it; None where it did not."""

    text: str
    approved: Approved = ()
    before: str | None = None


class Wording:
    """What is made of one tenant's texts.

    Args:
        held: every text must come of a template that all carriers of its route have approved.
        is_smart: typographic characters are made plain where that spares UCS-2.
        carriers: through which the messages of each route may go, by its name.
    """

    def __init__(
        self,
        book: Book,
        held: bool,
        is_smart: bool,
        signatures: Signatures | None,
        lines: OptoutLines | None,
        carriers: Mapping[str, Collection[str]],
    ) -> None:
        self._book = book
        self._held = held
        self._smart = is_smart
        self._signatures = signatures
        self._lines = lines
        self._carriers = carriers

    def begin(self, submitted: SubmitMessage) -> SubmitMessage | Refuse:
        """A message with the text and the category of its template, where it names one."""
        name = submitted.template
        if name is None:
            if submitted.vars:
                return _wrong("vars: are there and no template is; name one, or leave them out")
            return submitted
        if submitted.text:
            return _wrong("template: is there beside a text; leave one of them out")
        template = self._book.by_name.get(name)
        if template is None:
            return unknown(name)
        category = template.definition.category
        if category is not None and submitted.category not in (None, category):
            return _wrong(
                f"category: {submitted.category[:32]!r} is not the template's, {category}"
            )
        text = template.fill(submitted.vars or {})
        if isinstance(text, Refuse):
            return text
        return structs.replace(submitted, text=text, category=category or submitted.category)

    def write(
        self, begun: SubmitMessage, category: Category, sender: str, to: str, route: str
    ) -> Written | Refuse:
        """The text of a message that was begun, as it is to be measured and sent."""
        text = begun.text
        approved: Approved = ()
        if not text:
            return Written(text)
        if begun.template is not None or self._held:
            found = self._approved(begun, route)
            if isinstance(found, Refuse):
                return found
            approved = found
        if self._signatures is not None:
            signed = self._signatures.put(text, sender, route)
            if isinstance(signed, Refuse):
                return signed
            text = signed
        if self._lines is not None:
            ended = self._lines.put(text, to, category, route)
            if isinstance(ended, Refuse):
                return ended
            text = ended
        if self._smart and begun.encoding in (None, "auto"):
            plain = smart(text)
            if plain != text:
                return Written(plain, approved, text)
        return Written(text, approved)

    def _approved(self, begun: SubmitMessage, route: str) -> Approved | Refuse:
        """By which ids the carriers of a route know the template of a message."""
        carriers = self._carriers.get(route, ())
        if begun.template is not None:
            template = self._book.by_name[begun.template]
            missing = _lacking(template, carriers)
            if missing and self._held:
                named = ", ".join(missing)
                return _refuse(f"{template.name!r} is not approved by the carriers {named}")
            return tuple(template.definition.approved.items())
        nearest: Template | None = None
        for one in self._book.made_with(begun.text):
            if not _lacking(one, carriers):
                return tuple(one.definition.approved.items())
            nearest = one
        if nearest is not None:
            named = ", ".join(_lacking(nearest, carriers))
            return _refuse(f"the text is {nearest.name!r}, not approved by the carriers {named}")
        return _refuse("the text is of no template of this tenant, which is held to approved ones")


class Wordings:
    """What is made of the texts of each tenant.

    Args:
        books: tells the templates of a tenant.
    """

    def __init__(self, books: Callable[[str], Book]) -> None:
        self._books = books
        self._tenants: Mapping[str, TenantOptions] = {}
        self._carriers: Mapping[str, Collection[str]] = {}
        self._lines: OptoutLines | None = None

    def configure(
        self,
        options: ContentOptions,
        tenants: Mapping[str, TenantOptions],
        carriers: Mapping[str, Collection[str]],
    ) -> None:
        """Go by these from now on; ``carriers`` as in `Wording`."""
        self._tenants = tenants
        self._carriers = carriers
        self._lines = OptoutLines(options.optout_line, carriers) if options.optout_line else None

    def of(self, tenant: str) -> Wording | None:
        """What is made of a tenant's texts as they are now; None where that is nothing."""
        own, book = self._tenants[tenant], self._books(tenant)
        signatures = Signatures(own.signatures, self._carriers) if own.signatures else None
        lines = self._lines if own.content else None
        held = own.templates == "approved"
        if not (book or held or own.smart_encoding or signatures or lines):
            return None
        return Wording(book, held, own.smart_encoding, signatures, lines, self._carriers)


def unknown(name: str) -> Refuse:
    """What a message gets whose template there is not."""
    return _wrong(f"template: there is no {name[:64]!r}; put it first, or name another")


def carriers_of(routes: Sequence[RouteOptions]) -> Mapping[str, Collection[str]]:
    """The carriers through which messages may go, by route."""
    return {
        route.name: frozenset(one.id for one in route.carriers).union(route.backup)
        for route in routes
    }


def _lacking(template: Template, carriers: Collection[str]) -> list[str]:
    """The carriers that have not approved a template."""
    return sorted(one for one in carriers if one not in template.definition.approved)


def _wrong(why: str) -> Refuse:
    return Refuse(templates.RULE, "invalid_value", why)


def _refuse(why: str) -> Refuse:
    return Refuse(templates.RULE, "content_refused", f"{templates.RULE}: {why}")
