"""One charge for each request that was dispatched, in the order the work asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ragctx.engine.guard import Amounts
from ragctx.engine.prepare import Prepared
from ragctx.types import Charge, Usage
from ragctx.work import Completion, Failure, Relevances, Reply, Scores, Vectors


@dataclass(frozen=True, slots=True)
class Bill:
    """Tokens and seconds of one request over all its attempts."""

    prompt: int = 0
    output: int = 0
    cached: int = 0
    seconds: float = 0.0

    def plus(self, other: Bill) -> Bill:
        """Both bills together."""
        return Bill(
            self.prompt + other.prompt,
            self.output + other.output,
            self.cached + other.cached,
            self.seconds + other.seconds,
        )

    def amounts(self, prepared: Prepared) -> Amounts:
        """What the bill takes from a budget."""
        prices = prepared.facts.prices
        money = prices.money(self.prompt, self.output, self.cached) if prices else 0.0
        return Amounts(self.prompt + self.output, money, 1) if prepared.metered else Amounts(money=money)

    def charge(self, prepared: Prepared) -> Charge:
        """The bill as a ledger tells it: who asked which model for what, and for how much money."""
        asked, prices = prepared.request, prepared.facts.prices
        money = prices.money(self.prompt, self.output, self.cached) if prices else None
        amounts = (self.prompt, self.output, self.cached, self.seconds, money)
        return Charge(asked.role, asked.purpose, prepared.facts.name, *amounts)


NOTHING = Bill()


def bill(reply: Reply, elapsed: float) -> Bill:
    """What one attempt billed, by its reply.

    Args:
        reply: of the backend.
        elapsed: seconds that the backend took for it, used where the reply does not say its own.
    """
    match reply:
        case Completion():
            return Bill(reply.prompt_tokens, reply.output_tokens, reply.cached_tokens, reply.seconds or elapsed)
        case Scores():
            return Bill(reply.prompt_tokens, seconds=reply.seconds or elapsed)
        case Vectors() | Relevances():
            return Bill(reply.tokens, seconds=reply.seconds or elapsed)
        case Failure():
            return Bill(reply.prompt_tokens, reply.output_tokens, seconds=elapsed)


@dataclass(slots=True)
class Ledger:
    """The charges of one work, each with the key of the request that it is for."""

    _entries: list[tuple[Charge, str | None] | None] = field(default_factory=list)
    tokens: int = 0

    def reserve(self, count: int) -> int:
        """Room for the charges of one yield; the place of the first."""
        place = len(self._entries)
        self._entries.extend([None] * count)
        return place

    def enter(self, place: int, prepared: Prepared, bill: Bill) -> None:
        """What a request was billed."""
        self._entries[place] = bill.charge(prepared), prepared.key
        self.tokens += bill.prompt + bill.output

    def replay(self, place: int, prepared: Prepared) -> None:
        """A request answered without a model: nothing was spent."""
        self._entries[place] = replace(NOTHING.charge(prepared), replayed=True), prepared.key

    def usage(self) -> Usage:
        """Every charge so far, in the work's own order."""
        return Usage(tuple(entry[0] for entry in self._entries if entry is not None))

    def requests(self) -> tuple[str | None, ...]:
        """The key of the request behind each of these charges; None where its reply is not kept."""
        return tuple(entry[1] for entry in self._entries if entry is not None)
