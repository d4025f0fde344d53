"""How fast models run on this machine, kept from one process to the next so that plans know seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ragctx.corpus.files import write_whole
from ragctx.folders import cache_folder, cache_path
from ragctx.types import Speed
from ragctx.work import Completion

# Tokens that tell more of a speed than the run it was first measured by.
ENOUGH = 4_000


@dataclass(slots=True)
class Pace:
    """A writer's speed: by a tiny run at first, and from then on by what its calls take.

    A tiny run on a busy machine tells less than the truth, and would tell it to every later plan. While a process runs
    its speed stays as it is, so that the same question gets the same plan; what was learnt is for the next one. Reading
    and writing are corrected by one factor, since calls do not tell which of the two was slow.

    Attributes:
        key: the model's identity with whatever else its speed depends on.
        speed: what plans go by; None until it is measured.
        tokens: of the calls so far. planned: seconds that they should have taken. spent: that they took.

    Example:
        >>> pace = Pace("model", Speed(prompt=100, output=10))
        >>> pace.took(prompt=300, output=10, seconds=2.0)
        >>> pace.learnt
        Speed(prompt=200.0, output=20.0, latency=0.0)
    """

    key: str
    speed: Speed | None = None
    tokens: int = 0
    planned: float = 0.0
    spent: float = 0.0

    @classmethod
    def of(cls, key: str) -> Pace:
        """With the speed that is known, if any is."""
        return cls(key, known(key))

    def measured(self, speed: Speed) -> None:
        """Take what a first run measured, and keep it."""
        self.speed = speed
        keep(self.key, speed)

    def took(self, prompt: int, output: int, seconds: float) -> None:
        """Take in a call.

        Args:
            prompt: tokens that were read, without those kept from before.
            output: tokens that were written.
            seconds: of the machine's time.
        """
        if self.speed is not None:
            self.tokens += prompt + output
            self.planned += self.speed.seconds(prompt, output)
            self.spent += seconds

    def heard(self, replies: Iterable[Completion]) -> None:
        """Take in calls by their replies; what was kept of a prompt from before was not read."""
        for reply in replies:
            self.took(reply.prompt_tokens - reply.cached_tokens, reply.output_tokens, reply.seconds)

    @property
    def learnt(self) -> Speed | None:
        """The speed by all calls so far."""
        if self.speed is None or self.planned <= 0 or self.spent <= 0:
            return self.speed
        factor = self.planned / self.spent
        return Speed(self.speed.prompt * factor, self.speed.output * factor, self.speed.latency)

    def keep(self) -> None:
        """Keep what was learnt, once it is enough."""
        if self.tokens >= ENOUGH and (speed := self.learnt) is not None:
            keep(self.key, speed)


def known(key: str) -> Speed | None:
    """The speed measured earlier under this key; None where there is none.

    Args:
        key: the model's identity with whatever else its speed depends on.
    """
    path = cache_path("speed") / _name(key)
    try:
        stored = json.loads(path.read_text("utf-8"))
        return Speed(float(stored["prompt"]), float(stored["output"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # half-written or by another version: measured again, then replaced
        return None


def keep(key: str, speed: Speed) -> None:
    """Store a measured speed."""
    told = {"prompt": round(speed.prompt, 2), "output": round(speed.output, 2)}
    write_whole(cache_folder("speed") / _name(key), json.dumps(told).encode())


def _name(key: str) -> str:
    return f"{key.replace(':', '-').replace('/', '-')}.json"
