"""The model that says how likely given tokens are: what a compressor asks it, and a check of what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ragctx.errors import ConfigError, DoesNotFit, RequestFailed
from ragctx.models import ModelFacts, Models, pieces_of
from ragctx.work import Reply, Score, Scores, raised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragctx.models import Pieces

Ids = tuple[int, ...]
_LEAST = 32  # tokens of text that one request must have room for


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model that answers `Score`, by the ids of its own tokenizer: nothing is ever joined as text.

    Attributes:
        facts: of the model. pieces: its tokenizer. role: which it plays.
    """

    facts: ModelFacts
    pieces: Pieces
    role: str = "scorer"

    @classmethod
    def of(cls, models: Models, role: str = "scorer") -> Scorer:
        """The model that plays the role.

        Raises:
            ConfigError: nobody plays it, or who does cannot score, or does not tell its tokens.
        """
        facts = models.of(role)
        if not models.can(role, "Score"):
            raise ConfigError(f"{facts.name} cannot score text: name one that can, e.g. {role}='local:smollm2-135m'")
        return cls(facts, pieces_of(facts), role)

    def ids(self, text: str) -> Ids:
        """The token ids of a text."""
        return tuple(self.pieces.pieces(text)[0])

    def room(self, taken: int, wanted: int) -> int:
        """How many tokens of text one request may hold beside what is taken: those wanted, or what the window leaves.

        Raises:
            DoesNotFit: the window leaves next to nothing.
        """
        if self.facts.window is not None and self.facts.window - taken < _LEAST:
            raise DoesNotFit(self.facts.name, taken + _LEAST, self.facts.window)
        return self.left(taken, wanted)

    def left(self, taken: int, wanted: int) -> int:
        """The same, and nothing where the window leaves nothing."""
        return wanted if self.facts.window is None else max(0, min(wanted, self.facts.window - taken))

    def remembered(self, before: Ids, taken: int) -> Ids:
        """What was kept, as far as the window holds it beside what is taken; else its end, so that a beginning lasts.

        Cut to half of the room at once, it grows again from there, and the requests that follow share a prefix.
        """
        room = self.left(taken, len(before))
        return before if len(before) <= room else before[len(before) - room // 2 :]

    def score(self, prefix: Ids, target: Ids, purpose: str, *, whole: bool = False) -> Score:
        """The request for the log-probabilities of `target` after `prefix`; `whole` asks for the prefix's too."""
        return Score(prefix, target, role=self.role, purpose=purpose, whole=whole)


def logprobs(request: Score, reply: Reply) -> NDArray[np.float64]:
    """One finite log-probability for each token of the target.

    Raises:
        RequestFailed: the request failed, or the scorer answered something else.
    """
    return _finite(cast("Scores", raised(reply)).logprobs, len(request.target))


def logprobs_before(request: Score, reply: Reply) -> NDArray[np.float64]:
    """One finite log-probability for each token of the prefix, of a request that asked for the whole.

    Raises:
        RequestFailed: as for `logprobs`.
    """
    return _finite(cast("Scores", raised(reply)).before, len(request.prefix))


def _finite(values: Sequence[float], wanted: int) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if len(found) != wanted:
        raise RequestFailed("malformed", f"the scorer sent {len(found)} log-probabilities for {wanted} tokens")
    if not np.isfinite(found).all():
        raise RequestFailed("malformed", "the scorer sent log-probabilities that are no numbers: use other weights")
    return found
