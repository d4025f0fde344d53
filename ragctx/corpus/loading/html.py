"""HTML: the text a reader would see, with block breaks, without scripts and styles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection, decodes
from ragctx.corpus.loading.plain import decoded

_HIDDEN = {"script", "style", "template", "noscript", "title"}
_PARAGRAPHS = {
    "address", "article", "aside", "blockquote", "body", "dl", "figure", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul", "div",
}  # fmt: skip
_LINES = {"br", "caption", "dd", "dt", "figcaption", "li", "option", "summary", "tr"}
_CELLS = {"td", "th"}
_STRENGTH = {"": 0, " ": 1, "\t": 2, "\n": 3, "\n\n": 4}
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\n\r\f]+")


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The file as one document; offsets are those of the extracted text.

    Raises:
        UnreadableDocument: it is not text.
    """
    reader, steps = VisibleText(), decoded(path, _declared(path, seen), findings)
    # The title is wanted before the text is read on; it stands at the top.
    first = reader.read(next(steps, ""))
    yield Extracted(_pieces(reader, first, steps), title=reader.title)


class VisibleText(HTMLParser):
    r"""Collects the visible text of HTML fed to it in steps.

    White space collapses outside `pre`; paragraphs are set apart by a blank line, rows and list items by a line
    break, cells by a tab.

    Example:
        >>> VisibleText().read("<h1>Fees</h1><p>Rent &amp; heat<br>are due.</p><script>x()</script>", last=True)
        'Fees\n\nRent & heat\nare due.'
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._gap, self._begun, self._hidden, self._verbatim = "", False, "", 0
        self._title: list[str] = []

    @property
    def title(self) -> str:
        """The page's title, as far as it was fed."""
        return _SPACE.sub(" ", "".join(self._title)).strip()

    def read(self, step: str, *, last: bool = False) -> str:
        """Feed a step; returns the text that became certain with it."""
        self.feed(step)
        if last:
            self.close()
        text, self._out = "".join(self._out), []
        return text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens: a gap before what follows, or hidden content begins."""
        self._part(tag)
        if tag in _HIDDEN and not self._hidden:
            self._hidden = tag
        self._verbatim += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        self._part(tag)
        if tag == self._hidden:
            self._hidden = ""
        if tag == "pre" and self._verbatim:
            self._verbatim -= 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag without content: it can set apart but hides nothing."""
        self._part(tag)

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if self._hidden == "title":
            self._title.append(data)
        if self._hidden:
            return
        if self._verbatim:
            self._say(data)
            return
        words = _SPACE.sub(" ", data)
        if words.startswith(" "):
            self._widen(" ")
        if words.strip(" "):
            self._say(words.strip(" "))
            self._gap = " " if words.endswith(" ") else ""

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._begun:
            self._out.append(self._gap)
        self._out.append(text)
        self._gap, self._begun = "", True

    def _part(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._widen("\n\n")
        elif tag in _LINES:
            self._widen("\n")
        elif tag in _CELLS:
            self._widen("\t")

    def _widen(self, gap: str) -> None:
        self._gap = max(self._gap, gap, key=_STRENGTH.__getitem__)


def _pieces(reader: VisibleText, first: str, steps: Iterator[str]) -> Iterator[str]:
    yield first
    for step in steps:
        yield reader.read(step)
    yield reader.read("", last=True)


def _declared(path: Path, seen: Inspection) -> Inspection:
    """What a page that is not UTF-8 says of its own encoding is no guess, if it is so."""
    found = _CHARSET.search(seen.head)
    if not seen.guessed or found is None:
        return seen
    encoding = found[1].decode("ascii", "ignore")
    return replace(seen, encoding=encoding, guessed=False) if decodes(path, encoding) else seen
