"""How numbers are written for people, the same in every view."""

from __future__ import annotations

from ragctx.types import Range

UNKNOWN = "?"


def whole(value: float) -> str:
    """Thousands separated.

    Example:
        >>> whole(20_481.4)
        '20,481'
    """
    return f"{value:,.0f}"


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
        >>> money(12.5), money(0.00042), money(None), money(0)
        ('12.50', '0.00042', '?', '0')
    """
    if value is None:
        return UNKNOWN
    digits = "0" if value == 0 else f"{value:,.2f}" if value >= 1 else f"{value:.2g}"
    return f"{digits} {currency}".strip()


def seconds(value: float | None) -> str:
    """Seconds, minutes or hours.

    Example:
        >>> seconds(0.42), seconds(75), seconds(7300), seconds(None)
        ('0.4 s', '1 min 15 s', '2 h 1 min', '?')
    """
    if value is None:
        return UNKNOWN
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"


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
