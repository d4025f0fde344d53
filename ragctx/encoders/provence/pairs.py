"""Questions and passages as windows of tokens: exact places, nothing left out, sentences whole where they fit."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.encoders.checkpoints import table
from ragctx.encoders.provence.checkpoint import Checkpoint
from ragctx.encoders.windows import Range, TokenCounter, Window, opened, sayable
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Encoding

_NO_MARKS = str.maketrans("", "", string.punctuation)


class Pairs:
    """Cuts pairs of question and passage into windows, in the checkpoint's own form.

    Args:
        checkpoint: says the form: OpenProvence puts a title on a line of its own above the passage; Naver's Provence
            makes it the first sentence, and reads questions in small letters without punctuation marks.

    Raises:
        ConfigError: the checkpoint's tokenizer is none, or does not belong to its weights.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._tokenizer = opened(checkpoint.folder, checkpoint.backbone.get("vocab_size"))
        self._plain = checkpoint.kind == "provence"
        self._longest = checkpoint.longest
        self._before, self._between, self._after = self._marks(checkpoint.folder)
        self.counter = TokenCounter(tokenizer=self._tokenizer)

    def windows(self, query: str, title: str, text: str, units: Sequence[Range] = ()) -> list[Window]:
        """The windows over one passage, each with the question and the title; none for a text without a token.

        A question takes half a window at most, a title a quarter of the rest: what is longer is cut. Windows end where
        units end, unless one unit is longer than a window.
        """
        encoding = self._encode(text)
        if not encoding.ids:
            return []
        marks = len(self._before) + len(self._between) + len(self._after)
        asked = self._encode(self._question(query)).ids[: max(1, self._longest // 2 - marks)]
        room = self._longest - marks - len(asked)
        named = self._encode(self._titled(title)).ids[: room // 4] if title else []
        head = [*self._before, *asked, *self._between, *named]
        return [
            Window([*head, *encoding.ids[first:last], *self._after], len(head), encoding.offsets[first:last])
            for first, last in cuts(len(encoding.ids), room - len(named), _borders(encoding.offsets, units))
        ]

    def _question(self, query: str) -> str:
        plain = " ".join(query.lower().translate(_NO_MARKS).split())
        return plain if self._plain and plain else query

    def _titled(self, title: str) -> str:
        if not self._plain:
            return title.rstrip("\n") + "\n"
        return title if title.endswith((".", "?", "!")) else f"{title}."

    def _encode(self, text: str) -> Encoding:
        return self._tokenizer.encode(sayable(text), add_special_tokens=False)  # type: ignore[no-any-return]

    def _marks(self, folder: Path) -> tuple[list[int], list[int], list[int]]:
        """The special tokens before, between and after a pair, as the tokenizer's own template has them."""
        pair = self._tokenizer.encode("a", "b")
        sides = pair.sequence_ids
        first, last = sides.index(0), len(sides) - sides[::-1].index(1)
        begin, end = len(sides) - sides[::-1].index(0), sides.index(1)
        before, between, after = pair.ids[:first], pair.ids[begin:end], pair.ids[last:]
        if before and between:
            return before, between, after
        start, stop = self._named(folder, "cls_token", "bos_token"), self._named(folder, "sep_token", "eos_token")
        return [start], [stop], [stop]

    def _named(self, folder: Path, *roles: str) -> int:
        said = table(folder / "special_tokens_map.json") | table(folder / "tokenizer_config.json")
        for role in roles:
            token = said.get(role)
            number = self._tokenizer.token_to_id(token.get("content", "") if isinstance(token, dict) else token or "")
            if number is not None:
                return int(number)
        raise ConfigError(
            f"the tokenizer in {folder} names no {roles[0]}: fetch the checkpoint with its tokenizer files"
        )


def cuts(count: int, room: int, borders: Sequence[int]) -> Iterator[Range]:
    """Ranges of at most `room` tokens that end at a border where there is one.

    Example:
        >>> list(cuts(12, 4, [3, 9]))
        [(0, 3), (3, 7), (7, 9), (9, 12)]
    """
    start = 0
    while start < count:
        end = min(count, start + max(1, room))
        if end < count:
            end = max((border for border in borders if start < border <= end), default=end)
        yield start, end
        start = end


def _borders(places: Sequence[Range], units: Sequence[Range]) -> list[int]:
    """Numbers of the tokens before which a unit ends, ascending."""
    found, at = [], 0
    for end in sorted({end for _, end in units}):
        while at < len(places) and places[at][1] <= end:
            at += 1
        found.append(at)
    return found
