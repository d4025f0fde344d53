"""Text from tokens as they come: whole characters only, held back where a stop string may be beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class TextStream:
    r"""Grows with every token and says which text is new.

    A token may end inside a character or inside what turns out to be a stop string; such text waits. The pieces handed
    out, joined, are exactly `text`.

    Args:
        decode: text of a list of token ids.
        stops: writing ends before the first of these strings.

    Example:
        >>> stream = TextStream(lambda ids: bytes(ids).decode("utf-8", "replace"), stops=("\n",))
        >>> [stream.push(byte) for byte in "né\nx".encode()[:4]]
        ['n', '', 'é', '']
        >>> stream.stopped, stream.text
        (True, 'né')
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = tuple(stop for stop in stops if stop)
        self._ids: list[int] = []
        self._from = 0  # ids before this one are settled: their text is in _settled
        self._settled = ""
        self._given = 0
        self.text = ""
        self.stopped = False

    @property
    def tokens(self) -> Sequence[int]:
        """Every token taken."""
        return self._ids

    def push(self, token: int) -> str:
        """Take one token; returns the new text that is safe to show."""
        self._ids.append(token)
        self.text = self._settled + self._decode(self._ids[self._from :])
        self._cut_at_stop()
        if self.stopped:
            return self._give(len(self.text))
        if self.text.endswith("\ufffd"):  # the middle of a character, most likely
            return ""
        self._settle()
        return self._give(len(self.text) - self._held())

    def finish(self) -> str:
        """The text still held back, now that no token follows."""
        return self._give(len(self.text))

    def without(self, last: int) -> str:
        """The text without its last tokens."""
        return self._decode(self._ids[: len(self._ids) - last])

    def _settle(self) -> None:
        """Decode a short tail only; a few tokens stay in it, since decoders look at neighbours."""
        if len(self._ids) - self._from < 32:
            return
        keep = 8
        tail = self._decode(self._ids[-keep:])
        if self.text.endswith(tail) and "\ufffd" not in tail:
            self._settled = self.text[: len(self.text) - len(tail)]
            self._from = len(self._ids) - keep

    def _cut_at_stop(self) -> None:
        found = [at for stop in self._stops if (at := self.text.find(stop)) >= 0]
        if found:
            self.text = self.text[: min(found)]
            self.stopped = True

    def _held(self) -> int:
        """Length of the longest end of the text that a stop string begins with."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for n in range(min(longest, len(self.text)), 0, -1):
            if any(stop.startswith(self.text[-n:]) for stop in self._stops):
                return n
        return 0

    def _give(self, end: int) -> str:
        piece = self.text[self._given : end]
        self._given = max(self._given, end)
        return piece
