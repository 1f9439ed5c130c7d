"""Why a text cannot be sent: one exception for each reason, with its code on the wire."""

import unicodedata
from typing import ClassVar

from gateway.errors import GatewayError, MessageCode


class TextError(GatewayError):
    """A text that cannot be sent. Its message is a sentence for the tenant.

    Attributes:
        code: the stable code of the reason.
    """

    code: ClassVar[MessageCode]


class EmptyTextError(TextError):
    """There is nothing to send."""

    code = "empty_text"

    def __init__(self) -> None:
        super().__init__("the text is empty")


class TooLongError(TextError):
    """The text needs more parts than a header can number."""

    code = "too_long"

    def __init__(self, characters: int, most: int) -> None:
        super().__init__(f"{characters} characters need more than {most} parts")


class UnencodableError(TextError):
    """A character has no form in the encoding that was asked for.

    Attributes:
        character: the first such character.
        position: its index in the text, the first being 0.
    """

    code = "unencodable"

    def __init__(self, character: str, position: int, encoding: str) -> None:
        # Not the character itself: half a surrogate pair could not be written to the reply.
        name = unicodedata.name(character, "")
        named = f"U+{ord(character):04X}" + (f" ({name})" if name else "")
        super().__init__(f"{named} at position {position} has no form in {encoding}")
        self.character = character
        self.position = position
