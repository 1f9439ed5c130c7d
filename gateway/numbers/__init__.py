"""What a written number means, for submissions, opt-outs, inbound texts and receipts alike.

Numbers are E.164 digits without ``+`` within the program. `read` takes what a tenant writes,
`from_carrier` what a carrier does; `canonical` gives a phone that has several numbers one name.
"""

from gateway.numbers.candidates import SHORTEST
from gateway.numbers.meaning import check_region, from_carrier, kind_of, read, region_of, same_phone
from gateway.numbers.plans import CODES, REGIONS, Kind, load
from gateway.numbers.spellings import canonical, spellings
from gateway.numbers.written import NumberError

__all__ = [
    "CODES",
    "REGIONS",
    "SHORTEST",
    "Kind",
    "NumberError",
    "canonical",
    "check_region",
    "from_carrier",
    "kind_of",
    "load",
    "read",
    "region_of",
    "same_phone",
    "spellings",
]
