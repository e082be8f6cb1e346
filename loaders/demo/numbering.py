"""Numbering facts of the demo: area codes, an invented exchange extract, country codes.

Area codes and country codes are public facts of 2026. Exchanges, companies and rate centres are
made by a formula: they look right and stand for nobody.
"""

from collections.abc import Iterator

from loaders.demo.text import words

# state: time zone letters, rate centres, area codes.
US_STATES: dict[str, tuple[str, str, str]] = {
    "AK": ("AK", "ANCHORAGE", "907"),
    "AL": ("C", "BIRMINGHAM MOBILE", "205 251 256 334 483 659 938"),
    "AR": ("C", "LITTLEROCK", "327 479 501 870"),
    "AZ": ("M", "PHOENIX TUCSON", "480 520 602 623 928"),
    "CA": (
        "P",
        "LSAN SNFC SNDG",
        "209 213 279 310 323 341 350 357 369 408 415 424 442 510 530 559 562 619 626 628 650 657 "
        "661 669 707 714 738 747 760 805 818 820 831 837 840 858 909 916 925 949 951",
    ),
    "CO": ("M", "DENVER BOULDER", "303 719 720 748 970 983"),
    "CT": ("E", "HARTFORD", "203 475 860 959"),
    "DC": ("E", "WASHINGTON", "202 771"),
    "DE": ("E", "WILMINGTON", "302"),
    "FL": (
        "E",
        "MIAMI TAMPA",
        "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 "
        "954",
    ),
    "GA": ("E", "ATLANTA", "229 404 470 478 678 706 762 770 912 943"),
    "HI": ("(UTC-10)", "HONOLULU", "808"),
    "IA": ("C", "DESMOINES", "319 515 563 641 712"),
    "ID": ("MP", "BOISE", "208 986"),
    "IL": (
        "C",
        "CHICAGO PEORIA",
        "217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872",
    ),
    "IN": ("E", "INDIANAPLS", "219 260 317 463 574 765 812 930"),
    "KS": ("C", "WICHITA", "316 620 785 913"),
    "KY": ("E", "LOUISVILLE", "270 364 502 606 859"),
    "LA": ("C", "NEWORLEANS", "225 318 337 457 504 985"),
    "MA": ("E", "BOSTON", "339 351 413 508 617 774 781 857 978"),
    "MD": ("E", "BALTIMORE", "227 240 301 410 443 667"),
    "ME": ("E", "PORTLAND", "207"),
    "MI": ("E", "DETROIT", "231 248 269 313 517 586 616 679 734 810 906 947 989"),
    "MN": ("C", "TWINCITIES", "218 320 507 612 651 763 924 952"),
    "MO": ("C", "STLOUIS", "235 314 417 557 573 636 660 816 975"),
    "MS": ("C", "JACKSON", "228 471 601 662 769"),
    "MT": ("M", "BILLINGS", "406"),
    "NC": ("E", "CHARLOTTE RALEIGH", "252 336 472 704 743 828 910 919 980 984"),
    "ND": ("CM", "FARGO", "701"),
    "NE": ("C", "OMAHA", "308 402 531"),
    "NH": ("E", "MANCHESTER", "603"),
    "NJ": ("E", "NEWARK", "201 551 609 640 732 848 856 862 908 973"),
    "NM": ("M", "ALBUQUERQ", "505 575"),
    "NV": ("P", "LASVEGAS", "702 725 775"),
    "NY": (
        "E",
        "NWYRCYZN01 ALBANY BUFFALO",
        "212 315 329 332 347 363 465 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 "
        "934",
    ),
    "OH": (
        "E",
        "COLUMBUS CLEVELAND",
        "216 220 234 283 326 330 380 419 436 440 513 567 614 740 937",
    ),
    "OK": ("C", "OKLACITY", "405 539 572 580 918"),
    "OR": ("P", "PORTLAND", "458 503 541 971"),
    "PA": ("E", "PHLA PITTSBURGH", "215 223 267 272 412 445 484 570 582 610 717 724 814 835 878"),
    "RI": ("E", "PROVIDENCE", "401"),
    "SC": ("E", "COLUMBIA", "803 821 839 843 854 864"),
    "SD": ("CM", "SIOUXFALLS", "605"),
    "TN": ("C", "NASHVILLE MEMPHIS", "423 615 629 729 731 865 901 931"),
    "TX": (
        "C",
        "DALLAS HOUSTON AUSTIN",
        "210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 "
        "915 936 940 945 956 972 979",
    ),
    "UT": ("M", "SALTLAKE", "385 435 801"),
    "VA": ("E", "RICHMOND", "276 434 540 571 686 703 757 804 826 948"),
    "VT": ("E", "BURLINGTON", "802"),
    "WA": ("P", "SEATTLE SPOKANE", "206 253 360 425 509 564"),
    "WI": ("C", "MILWAUKEE", "262 274 353 414 534 608 715 920"),
    "WV": ("E", "CHARLESTON", "304 681"),
    "WY": ("M", "CHEYENNE", "307"),
    "PR": ("A", "SANJUAN", "787 939"),
    "VI": ("A", "STTHOMAS", "340"),
    "GU": ("(UTC+10)", "AGANA", "671"),
}

# States whose exchanges are in the extract, with area codes taken per state (at most).
EXTRACT_STATES = words(
    "AK AL AZ CA CO CT DC FL GA HI IA ID IL IN KS KY LA MA MD MI MN MO NC NE NJ NM NV NY OH OK OR "
    "PA PR SC TN TX UT VA WA WI"
)
AREA_CODES_PER_STATE = 6
EXCHANGES_PER_AREA_CODE = 8

CANADA = {
    "ALBERTA": "368 403 587 780 825",
    "BRITISH COLUMBIA": "236 250 604 672 778",
    "MANITOBA": "204 431",
    "NEW BRUNSWICK": "506",
    "NOVA SCOTIA - PRINCE EDWARD ISLAND": "782 902",
    "ONTARIO": "226 249 289 343 365 416 437 519 613 647 705 807 905",
    "QUEBEC": "367 418 438 450 514 579 581 819 873",
    "SASKATCHEWAN": "306 639",
}
CARIBBEAN = {
    "ANGUILLA": "264",
    "ANTIGUA/BARBUDA": "268",
    "BAHAMAS": "242",
    "BARBADOS": "246",
    "BERMUDA": "441",
    "BRITISH VIRGIN ISLANDS": "284",
    "CAYMAN ISLANDS": "345",
    "DOMINICA": "767",
    "DOMINICAN REPUBLIC": "809 829 849",
    "GRENADA": "473",
    "JAMAICA": "658 876",
    "SINT MAARTEN": "721",
    "ST. LUCIA": "758",
    "TRINIDAD & TOBAGO": "868",
    "TURKS & CAICOS ISLANDS": "649",
}
TOLL_FREE = words("800 833 844 855 866 877 888")

COMPANIES = (
    ("9101", "PRAIRIE EXCHANGE CARRIER"),
    ("9102", "HARBOR LIGHT COMMUNICATIONS"),
    ("9103", "SUMMIT WIRELESS PARTNERS"),
    ("9104", "BLUE RIVER TELEPHONE"),
    ("9105", "CORNERSTONE LOCAL ACCESS"),
    ("9106", "NORTHGATE MOBILITY"),
    ("9107", "TRI-COUNTY FIBER"),
)

# Country code; name; retail tenths of a cent per minute (fixed, mobile); mobile prefixes after the
# code; weight in the traffic. Prices are invented.
COUNTRIES: tuple[tuple[str, str, int, int, str, int], ...] = (
    ("44", "United Kingdom", 12, 41, "74 75 77 78 79", 20),
    ("49", "Germany", 13, 52, "15 151 16 17 1762", 9),
    ("33", "France", 14, 48, "6 7 700", 7),
    ("34", "Spain", 15, 43, "6 7 61", 4),
    ("39", "Italy", 16, 61, "3 33 34", 5),
    ("31", "Netherlands", 15, 55, "6 61", 3),
    ("32", "Belgium", 17, 72, "4 47 48", 3),
    ("41", "Switzerland", 21, 118, "76 77 78 79", 3),
    ("43", "Austria", 19, 64, "66 67 68", 2),
    ("45", "Denmark", 15, 47, "2 3 40", 1),
    ("46", "Sweden", 14, 46, "70 72 73", 2),
    ("47", "Norway", 16, 53, "4 9", 1),
    ("48", "Poland", 18, 57, "5 60 66", 2),
    ("351", "Portugal", 17, 66, "91 92 93 96", 1),
    ("352", "Luxembourg", 23, 91, "6", 1),
    ("353", "Ireland", 16, 58, "83 85 86 87", 3),
    ("354", "Iceland", 31, 99, "6 7", 1),
    ("358", "Finland", 29, 74, "4 50", 1),
    ("36", "Hungary", 19, 63, "20 30 70", 1),
    ("40", "Romania", 22, 58, "7 72", 1),
    ("420", "Czech Republic", 18, 59, "60 72 77", 1),
    ("421", "Slovakia", 21, 77, "90 91", 1),
    ("30", "Greece", 17, 56, "69", 1),
    ("90", "Turkey", 34, 142, "5 53", 2),
    ("7", "Russia", 41, 96, "9 91", 2),
    ("380", "Ukraine", 88, 161, "50 67 68", 1),
    ("972", "Israel", 18, 69, "5 50 54", 4),
    ("971", "United Arab Emirates", 172, 189, "50 55", 3),
    ("966", "Saudi Arabia", 118, 167, "5", 2),
    ("20", "Egypt", 121, 138, "10 11 12", 2),
    ("27", "South Africa", 44, 101, "6 7 82 83", 2),
    ("234", "Nigeria", 96, 108, "70 80 81 90", 3),
    ("233", "Ghana", 188, 224, "24 26 54", 1),
    ("254", "Kenya", 151, 166, "7 70", 1),
    ("212", "Morocco", 141, 389, "6 61", 1),
    ("91", "India", 21, 24, "7 8 9 98", 14),
    ("92", "Pakistan", 79, 88, "3 30", 2),
    ("880", "Bangladesh", 31, 34, "1 17 19", 1),
    ("94", "Sri Lanka", 141, 153, "7", 1),
    ("86", "China", 19, 22, "13 15 18", 8),
    ("852", "Hong Kong", 21, 29, "5 6 9", 4),
    ("886", "Taiwan", 23, 81, "9", 2),
    ("81", "Japan", 28, 98, "70 80 90", 5),
    ("82", "South Korea", 24, 44, "10 11", 4),
    ("65", "Singapore", 14, 18, "8 9", 3),
    ("60", "Malaysia", 22, 49, "1 12", 1),
    ("62", "Indonesia", 61, 89, "8 81", 1),
    ("63", "Philippines", 118, 141, "9 90 917", 6),
    ("66", "Thailand", 29, 38, "8 9", 1),
    ("84", "Vietnam", 69, 76, "9 98", 2),
    ("61", "Australia", 19, 58, "4 40", 6),
    ("64", "New Zealand", 21, 89, "2 21", 2),
    ("52", "Mexico", 11, 19, "1 55 81", 24),
    ("55", "Brazil", 29, 94, "119 219 319", 6),
    ("54", "Argentina", 24, 121, "9 911", 2),
    ("56", "Chile", 27, 58, "9", 1),
    ("57", "Colombia", 28, 41, "3 30 31", 4),
    ("58", "Venezuela", 37, 129, "41 42", 1),
    ("51", "Peru", 19, 52, "9", 2),
    ("593", "Ecuador", 142, 221, "9", 1),
    ("502", "Guatemala", 121, 138, "3 4 5", 2),
    ("503", "El Salvador", 139, 168, "6 7", 1),
    ("504", "Honduras", 151, 179, "3 9", 1),
    ("506", "Costa Rica", 31, 71, "6 7 8", 1),
    ("507", "Panama", 41, 122, "6", 1),
    ("53", "Cuba", 799, 844, "5", 1),
    ("509", "Haiti", 271, 298, "3 4", 1),
)
# Reachable, but in no retail deck: calls there end as missing_rate.
UNPRICED_COUNTRIES = (("239", "Sao Tome"), ("850", "North Korea"), ("678", "Vanuatu"))
# In the retail decks, but blocked.
BLOCKED_PREFIX = ("8816", "Satellite network")


def is_usable_exchange(exchange: int) -> bool:
    """Tell whether a three-digit exchange may be in the extract (no N11, 555 or 976)."""
    return exchange not in (555, 976) and exchange % 100 != 11


def exchanges_of(area_code: int, count: int = EXCHANGES_PER_AREA_CODE) -> list[int]:
    """Give the exchanges of an area code in the extract: a formula, not a copy of the real ones."""
    found: list[int] = []
    step = 0
    while len(found) < count:
        exchange = 200 + (area_code * 37 + step * 89 + step * step) % 800
        step += 1
        if is_usable_exchange(exchange) and exchange not in found:
            found.append(exchange)
    return sorted(found)


def extract_area_codes(state: str) -> list[int]:
    """Give the area codes of a state that have exchanges in the extract."""
    return [int(code) for code in US_STATES[state][2].split()[:AREA_CODES_PER_STATE]]


def npa_rows() -> Iterator[dict[str, str]]:
    """Give the rows of npa.csv."""

    def row(
        code: str,
        location: str,
        country: str,
        service: str,
        usage_class: str,
        zone: str,
        in_service: bool = True,
    ) -> dict[str, str]:
        return {
            "npa": code,
            "location": location,
            "country": country,
            "service": service,
            "usage_class": usage_class,
            "is_in_service": "true" if in_service else "false",
            "time_zone_letters": zone,
        }

    rows = []
    for state, (zone, _, codes) in US_STATES.items():
        rows += [row(code, state, "US", "", "geographic", zone) for code in codes.split()]
    for place, codes in CANADA.items():
        rows += [row(code, place, "CANADA", "", "geographic", "E") for code in codes.split()]
    for place, codes in CARIBBEAN.items():
        rows += [row(code, place, place, "", "geographic", "A") for code in codes.split()]
    rows += [row(c, "NANP AREA", "", "Toll-Free", "non_geographic", "E") for c in TOLL_FREE]
    rows.append(row("822", "NANP AREA", "", "Toll-Free", "non_geographic", "E", in_service=False))
    rows.append(row("900", "NANP AREA", "", "Premium Services", "non_geographic", "E"))
    rows.append(
        row("700", "NANP AREA", "", "Interexchange Carrier Services", "non_geographic", "E")
    )
    rows.append(row("710", "", "US", "US Government", "non_geographic", "E"))
    rows += [
        row(c, "NANP AREA", "US", "Non-Geographic Services", "non_geographic", "E")
        for c in ("500", "533", "544", "566", "577", "588")
    ]
    rows.append(
        row("600", "", "CANADA", "Canadian Non-Geographic Tariffed Services", "non_geographic", "E")
    )
    yield from sorted(rows, key=lambda item: item["npa"])


def npanxx_rows() -> Iterator[dict[str, str]]:
    """Give the rows of npanxx.csv: about 1,560 exchanges of 40 states."""
    for state in EXTRACT_STATES:
        centres = US_STATES[state][1].split()
        for area_code in extract_area_codes(state):
            for position, exchange in enumerate(exchanges_of(area_code)):
                ocn, company = COMPANIES[(area_code + exchange) % len(COMPANIES)]
                yield {
                    "npanxx": f"{area_code}{exchange}",
                    "state_code": state,
                    "ocn": ocn,
                    "company": company,
                    "rate_centre": centres[position % len(centres)],
                    # The last exchange of some area codes is assigned but not yet dialable.
                    "is_in_service": "false" if position == 7 and area_code % 5 == 0 else "true",
                    "is_pooled": "true" if exchange % 3 else "false",
                }
