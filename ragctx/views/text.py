"""What every terminal view is made of: a console that trusts no text, indented blocks, tables without boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

DIM, STRONG, WARN, BAD = "dim", "bold", "yellow", "red"

# Control characters and directional overrides: in a document's text or a file's name they would move the cursor,
# recolour the screen or turn words around. Tabs and line ends stay. Halves of characters are nothing that can be shown.
_CONTROLS = [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
VISIBLE = dict.fromkeys([*_CONTROLS, *range(0xD800, 0xE000)], "\ufffd") | {13: " "}


def clean(text: str) -> str:
    r"""The text with every character that would control a terminal made visible.

    Example:
        >>> clean("pay \x1b[31mnow").replace("\ufffd", "?")
        'pay ?[31mnow'
    """
    return text.translate(VISIBLE)


class _Clean:
    """A renderable whose text controls nothing."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


class Terminal(Console):
    """A console that reads no markup, emoji or control characters out of text that is not ours."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - rich's own signature
        """Print views and texts."""
        # A paragraph ends no line in blanks; a log's line is not wrapped at all, and a blank one stays.
        wrapped = not options.get("soft_wrap")
        views = ((Block(Text(o)) if o and wrapped else Text(o)) if isinstance(o, str) else o for o in objects)
        super().print(*map(_Clean, views), **options)


def console(*, stderr: bool = False, file: IO[str] | None = None, width: int | None = None) -> Terminal:
    """A console on standard output, standard error or a file."""
    return Terminal(stderr=stderr, file=file, width=width, markup=False, emoji=False, highlight=False)


def table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    """A table without lines; columns named in `numbers` stand right and never break."""
    made = Table(box=None, pad_edge=False, header_style=STRONG, padding=(0, 2, 0, 0))
    for column in columns:
        if column in numbers:
            made.add_column(column, justify="right", no_wrap=True)
        else:
            made.add_column(column, overflow="fold")
    return made


class Block:
    """A paragraph that keeps its indent when it wraps, and ends no line in blanks.

    Args:
        text: what it says. by: columns before the first line. then: before every further line; as `by` when None.
    """

    def __init__(self, text: Text, by: int = 0, then: int | None = None) -> None:
        self._text, self._by, self._then = text, by, by if then is None else then

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - max(self._by, self._then), 8)
        for number, line in enumerate(self._text.wrap(console, width)):
            line.rstrip()
            yield Text(" " * (self._then if number else self._by)) + line


def block(text: str | Text, style: str = "", by: int = 3, then: int | None = None) -> Block:
    """An indented paragraph."""
    return Block(text if isinstance(text, Text) else Text(text, style), by, then)


def numbered(number: int, total: int, text: str) -> Block:
    """A heading with its number in front of it; the text wraps beside the number, not below it."""
    width = len(f"{total}. ")
    return block(Text(f"{number}.".rjust(width - 1) + " " + one_line(text), STRONG), by=0, then=width)


def notes(found: Iterable[str]) -> list[Block]:
    """Fall-backs and warnings, one a line."""
    return [hanging(f"note: {note}", WARN) for note in found]


def hanging(text: str, style: str = "") -> Block:
    """A paragraph of its own."""
    return block(text, style, 0)


def one_line(text: str, most: int = 0) -> str:
    r"""White space joined; over `most` characters the rest is replaced by an ellipsis.

    Example:
        >>> one_line("the  rent\nis due", 8)
        'the rent…'
    """
    joined = " ".join(text.split())
    if not most or len(joined) <= most + 1:
        return joined
    return joined[:most].rstrip() + "…"


def whole_words(text: str, *, last: bool = False) -> str:
    """The text up to its last blank, where it has one, or from its first one on.

    Example:
        >>> whole_words("the rent is d"), whole_words("rent is due", last=True)
        ('the rent is', 'is due')
    """
    parts = re.split(r"\s", text, maxsplit=1) if last else re.split(r"\s(?=\S*\Z)", text, maxsplit=1)
    return (parts[-1].lstrip() if last else parts[0].rstrip()) or text
