"""Texts as short messages: alphabets, encoding choice, splitting, headers, joining.

What other packages need stands here; they import nothing from the modules below.
"""

from gateway.text.alphabets import Alphabet, DefaultAlphabet, decode
from gateway.text.errors import EmptyTextError, TextError, TooLongError, UnencodableError
from gateway.text.joining import alphabet_of, join
from gateway.text.measuring import MAX_PARTS, Measure, measure
from gateway.text.splitting import Encoded, encode
from gateway.text.udh import Concat, UserData, concat_header, parse_user_data

__all__ = [
    "MAX_PARTS",
    "Alphabet",
    "Concat",
    "DefaultAlphabet",
    "EmptyTextError",
    "Encoded",
    "Measure",
    "TextError",
    "TooLongError",
    "UnencodableError",
    "UserData",
    "alphabet_of",
    "concat_header",
    "decode",
    "encode",
    "join",
    "measure",
    "parse_user_data",
]
