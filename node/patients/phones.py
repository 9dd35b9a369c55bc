"""Phone numbers as people in India write them. Knows no patient and no store."""

import re

MOBILE_DIGITS = 10
_MOBILE = re.compile(r"^(?:\+?91|0)?([6-9][0-9]{9})$")
_PHONE = re.compile(r"^\+?[0-9]{6,15}$")
_BETWEEN = re.compile(r"[\s().-]+")


def plain_phone(text: str) -> str | None:
    """The number as it is kept: Indian mobiles with +91, others as digits; None for what is no phone number."""
    bare = _BETWEEN.sub("", text)
    mobile = _MOBILE.match(bare)
    if mobile:
        return f"+91{mobile[1]}"
    return bare if _PHONE.match(bare) else None


def shown_phone(phone: str) -> str:
    """The number as people read it: Indian mobiles in two groups of five."""
    mobile = _MOBILE.match(_BETWEEN.sub("", phone))
    return f"{mobile[1][:5]} {mobile[1][5:]}" if mobile else phone


def spellings(text: str) -> tuple[str, ...]:
    """Every way in which the same number may have been written down, without spaces."""
    bare = _BETWEEN.sub("", text)
    mobile = _MOBILE.match(bare)
    if mobile is None:
        return (bare,)
    number = mobile[1]
    return f"+91{number}", number, f"0{number}", f"91{number}"


def looks_like_phone(text: str) -> bool:
    """Whether somebody looks for a phone number rather than for a name."""
    return _PHONE.match(_BETWEEN.sub("", text)) is not None
