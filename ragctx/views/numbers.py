"""How numbers are written for people, the same in every view."""

from __future__ import annotations

from decimal import Decimal

from ragctx.types import Range

UNKNOWN = "?"


def whole(value: float) -> str:
    """Thousands separated.

    Example:
        >>> whole(20_481.4)
        '20,481'
    """
    return f"{value:,.0f}"


def short(value: float) -> str:
    """A number of any kind in few digits.

    Example:
        >>> short(21_506.0), short(0.73512), short(float("inf"))
        ('21,506', '0.735', 'inf')
    """
    return whole(value) if value == value // 1 and abs(value) < 1e15 else f"{value:,.3g}"


def count(value: float, one: str, many: str = "") -> str:
    """A number and its noun.

    Example:
        >>> count(1, "call"), count(24, "question"), count(2, "reply", "replies")
        ('1 call', '24 questions', '2 replies')
    """
    return f"{whole(value)} {one if value == 1 else many or one + 's'}"


def spread(value: Range | None, unit: str = "") -> str:
    """Expected, with low and high behind it where they differ.

    Example:
        >>> spread(Range(1000, 1200, 2000)), spread(None), spread(Range.exactly(3))
        ('1,200 (1,000-2,000)', '?', '3')
    """
    if value is None:
        return UNKNOWN
    if value.low == value.high:
        return whole(value.expected) + unit
    return f"{whole(value.expected)} ({whole(value.low)}-{whole(value.high)}){unit}"


def money(value: float | None, currency: str = "") -> str:
    """Money with as many digits as it needs.

    Example:
        >>> money(12.5), money(0.00042), money(0.0000687), money(None), money(0)
        ('12.50', '0.00042', '0.000069', '?', '0')
    """
    if value is None:
        return UNKNOWN
    digits = "0" if value == 0 else f"{value:,.2f}" if value >= 1 else f"{Decimal(f'{value:.2g}'):f}"
    return f"{digits} {currency}".strip()


def seconds(value: float | None) -> str:
    """Seconds, minutes or hours.

    Example:
        >>> seconds(0.42), seconds(75), seconds(7300), seconds(None)
        ('0.4 s', '1 min 15 s', '2 h 1 min', '?')
        >>> seconds(59.9), seconds(3599.7)
        ('1 min 0 s', '1 h 0 min')
    """
    if value is None:
        return UNKNOWN
    if value < 9.95:
        return f"{value:.1f} s"
    value = round(value)
    if value < 60:
        return f"{value} s"
    if value < 3600:
        return f"{value // 60} min {value % 60} s"
    return f"{value // 3600} h {value % 3600 // 60} min"


def share(value: float) -> str:
    """A share of one as a percentage; something is never shown as nothing.

    Example:
        >>> share(0.5), share(0.0004), share(1.0), share(0.9999), share(0.0)
        ('50 %', '<1 %', '100 %', '>99 %', '0 %')
    """
    if 0 < value < 0.005:
        return "<1 %"
    if 0.995 <= value < 1:
        return ">99 %"
    return f"{value * 100:.0f} %"


def size(value: float) -> str:
    """Bytes in the unit a person would use.

    Example:
        >>> size(0), size(800), size(12_300), size(4_500_000), size(2.1e9)
        ('0 B', '800 B', '12 kB', '4.5 MB', '2.1 GB')
    """
    for unit, factor, digits in (("GB", 1e9, 1), ("MB", 1e6, 1), ("kB", 1e3, 0)):
        if value >= factor:
            return f"{value / factor:,.{digits}f} {unit}"
    return f"{value:.0f} B"
