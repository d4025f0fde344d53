"""Which strategy reads a question: predicted quality minus lambda times normalised cost, within hard limits.

    score = quality - lambda x cost / cost of reading everything

A fitted policy predicts quality from the signals, corrects estimates by what runs really cost, and sets a floor.
A strategy that does not fit its model's window, or whose estimate may exceed the budget, is out, with the reason in
words. Among the rest the best score wins; a dearer one must be ahead by more than the policy's margin, which also
makes the choice monotone: raising lambda never picks a dearer strategy. Ties go to the cheaper one, then by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ragctx.contracts import Strategy
from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion, ConfigError, DoesNotFit, LimitError, RagctxError, UnknownName
from ragctx.models import Models
from ragctx.routing import costs
from ragctx.routing.policy import Policy
from ragctx.routing.quality import predicted
from ragctx.routing.signals import signals
from ragctx.routing.why import asked_for, no_choice, reason
from ragctx.routing.wording import wording
from ragctx.types import Budget, Candidate, Decision, Estimate, Line, Question, Range


def decide(
    question: Question,
    corpus: Corpus,
    models: Models,
    strategies: Mapping[str, Strategy],
    policy: Policy | None = None,
    lam: float | None = None,
    budget: int | Budget | None = None,
    *,
    only: str | None = None,
    strict: bool = True,
    known: Mapping[str, float] | None = None,
) -> Decision:
    """The strategy for one question, with everything the choice was made from; no model is called.

    Args:
        question: a budget of its own counts beside `budget`; the tighter ceiling holds.
        corpus: the documents it may read.
        models: facts of the models behind each role.
        strategies: name -> strategy the router may choose.
        policy: the table of figures; the built-in one when not given.
        lam: lambda, the weight of normalised cost against quality; the policy's when not given.
        budget: ceiling for this question; a number is tokens.
        only: the strategy the user named: it is checked against window and budget, and nothing is compared.
        strict: False gives, where this question cannot be read, a decision that names no strategy, and `why` says so:
            one question of many, over the limits or with a filter that admits no document, stops none of the others.
        known: signals found by other means, beside those that are found here.

    Raises:
        LimitError: no strategy is within window and budget; every one is listed with its reason. A strategy named by
            `only` raises its own error, e.g. DoesNotFit. BadQuestion: its filter admits no document. Neither is raised
            where `strict` is False.
        UnknownName: `only` is not among the strategies. ConfigError: there is no strategy, none of them or not the one
            named by `only` can read any question here (e.g. no model can answer), or lambda is below 0.
    """
    policy = policy or Policy.load()
    lam = policy.lam if lam is None else lam
    allowed = _allowed(strategies, only)
    if lam < 0:
        raise ConfigError(f"lambda is {lam}: it weighs cost against quality, give 0 or more")
    ceiling = costs.tightest(question.budget, Budget.of(budget))
    tolerated = _tolerated(only, strict=strict)
    try:
        found = signals(question, corpus, models, policy, retrieval=only is None) | dict(known or {})
        found |= _wording(question, policy)
        looks = [_look(name, allowed[name], question, corpus, models, ceiling, tolerated) for name in sorted(allowed)]
    except BadQuestion as error:
        if strict:
            raise
        return Decision("", str(error), policy=policy.label, lam=lam)
    offered = set(allowed) if only is None else set()
    looks = [_as_measured(look, policy, offered) for look in looks]
    candidates, able = _scored(looks, question, models, policy, found, lam), any(look.able for look in looks)
    decision = _decision(candidates, found, policy, lam, only, able=able)
    if strict and not decision.strategy:
        raise LimitError(decision.why) if able else ConfigError(decision.why)
    return decision


def _wording(question: Question, policy: Policy) -> dict[str, float]:
    """What the question says of the words that the fitted policy goes by; the table of the built-in one knows none."""
    if policy.fitted is None:
        return {}
    known = frozenset(policy.fitted.predictors.signals)
    return {name: said for name, said in wording(question.text).items() if name in known}


def _tolerated(only: str | None, *, strict: bool) -> tuple[type[RagctxError], ...]:
    """Errors that put a strategy out and stop nothing; the others are raised."""
    if only is None:
        return LimitError, ConfigError
    return () if strict else (LimitError,)


@dataclass(frozen=True, slots=True)
class _Look:
    """One strategy's estimate, and why it is out; empty when it is within the limits.

    Attributes:
        able: nothing but a limit is in its way.
    """

    strategy: str
    estimate: Estimate
    out: str = ""
    able: bool = True


def _allowed(strategies: Mapping[str, Strategy], only: str | None) -> Mapping[str, Strategy]:
    if not strategies:
        raise ConfigError("there is no strategy to choose from: name one, e.g. 'retrieve'")
    if only is None:
        return strategies
    if only not in strategies:
        raise UnknownName("strategy", only, strategies)
    return {only: strategies[only]}


def _look(
    name: str,
    strategy: Strategy,
    question: Question,
    corpus: Corpus,
    models: Models,
    ceiling: Budget,
    tolerated: tuple[type[RagctxError], ...],
) -> _Look:
    try:
        estimate = models.price(strategy.estimate(question, corpus, models))
    except tolerated as error:
        if isinstance(error, DoesNotFit):
            return _Look(name, _too_long(error, models), f"needs {error.needs:,} tokens, window {error.window:,}")
        return _Look(name, Estimate(), str(error), able=not isinstance(error, ConfigError))
    return _Look(name, costs.with_speed_note(estimate, ceiling), costs.over_budget(estimate, ceiling))


def _as_measured(look: _Look, policy: Policy, offered: set[str]) -> _Look:
    """The look by a fitted policy: its estimate corrected; out where others were measured and it was not."""
    fitted = policy.fitted
    if fitted is None:
        return look
    if look.strategy in fitted.strategies:
        return replace(look, estimate=fitted.corrected(look.strategy, look.estimate))
    if look.out or not offered & fitted.strategies:
        return look
    return replace(look, out=f"was not measured for {policy.label}: calibrate with it, or ask for it by name")


def _too_long(error: DoesNotFit, models: Models) -> Estimate:
    """What the prompt that does not fit would cost: the plan still shows it."""
    one = Line("reader", Range.exactly(error.needs), Range.exactly(0), Range.exactly(1))
    return models.price(Estimate((one,), notes=("does not fit the window",)))


def _scored(
    looks: list[_Look],
    question: Question,
    models: Models,
    policy: Policy,
    found: Mapping[str, float],
    lam: float,
) -> list[Candidate]:
    whole = _whole(looks, question, models, policy, found)
    by = costs.measure((look.estimate for look in looks if look.estimate.lines), whole)
    scores = policy.fitted.predictors.scores(found, models.reader.name) if policy.fitted else {}
    return floored([_candidate(look, whole, by, policy, found, lam, scores) for look in looks], policy.floor)


def floored(candidates: list[Candidate], floor: float) -> list[Candidate]:
    """The candidates with those out that are predicted below the floor, where another one reaches it."""
    if not any(c.quality >= floor and not c.rejected for c in candidates):
        return candidates
    said = f", the floor is {floor:.2f}"
    return [
        replace(c, rejected=f"predicted {c.quality:.2f}{said}") if c.quality < floor and not c.rejected else c
        for c in candidates
    ]


def _candidate(
    look: _Look,
    whole: Estimate,
    by: str,
    policy: Policy,
    found: Mapping[str, float],
    lam: float,
    scores: Mapping[str, float],
) -> Candidate:
    estimate = look.estimate
    if not estimate.lines and look.out:
        return Candidate(look.strategy, estimate, quality=0.0, cost=0.0, score=0.0, rejected=look.out)
    share = estimate.prompt.expected / whole.prompt.expected if whole.prompt.expected else 1.0
    if look.strategy in scores:
        quality = round(scores[look.strategy], 4)
    else:
        quality = predicted(look.strategy, policy, found, min(1.0, share))
    if look.strategy not in {*policy.strategies, *scores}:
        note = f"the policy has no figures for {look.strategy}: quality {policy.neutral} is assumed"
        estimate = replace(estimate, notes=(*estimate.notes, note))
    cost = costs.relative(estimate, whole, by)
    return Candidate(look.strategy, estimate, quality, cost, round(quality - lam * cost, 6), look.out)


def _whole(
    looks: list[_Look], question: Question, models: Models, policy: Policy, found: Mapping[str, float]
) -> Estimate:
    """What reading everything costs: the unit strategy's estimate, or documents plus question where it has none."""
    for look in looks:
        if look.strategy == policy.unit and look.estimate.lines:
            return look.estimate
    prompt = found["document_tokens"] + models.reader.counter.count(question.text)
    output = max((look.estimate.output.expected for look in looks), default=0.0)
    return models.price(Estimate.exactly(prompt=prompt, output=(0, output, output)))


def choose(candidates: list[Candidate], margin: float) -> Candidate | None:
    """The cheapest candidate within `margin` of the best score, of those that are not out; None when all are.

    Example:
        >>> near = [Candidate(n, Estimate(), q, c, q) for n, q, c in (("a", 0.7, 1.0), ("b", 0.699, 0.1))]
        >>> choose(near, margin=0.01).strategy, choose(near, margin=0.0).strategy
        ('b', 'a')
    """
    within = [candidate for candidate in candidates if not candidate.rejected]
    if not within:
        return None
    best = max(candidate.score for candidate in within)
    near = [candidate for candidate in within if candidate.score >= best - margin - 1e-9]
    return min(near, key=lambda candidate: (candidate.cost, -candidate.score, candidate.strategy))


def _decision(
    candidates: list[Candidate],
    found: Mapping[str, float],
    policy: Policy,
    lam: float,
    only: str | None,
    *,
    able: bool,
) -> Decision:
    chosen = choose(candidates, policy.margin)
    if chosen is None:
        why = no_choice(candidates, able=able)
        return Decision("", why, found, tuple(candidates), policy.label, lam)
    others = sorted((c for c in candidates if c is not chosen), key=lambda c: (bool(c.rejected), -c.score, c.strategy))
    why = asked_for(chosen) if only else reason(chosen, others, found, fitted=policy.fitted is not None)
    told = tuple(replace(c, rejected=c.rejected or _behind(c, chosen)) for c in others)
    return Decision(chosen.strategy, why, found, (chosen, *told), policy.label, lam)


_BEHIND = "score "  # how the reason of one begins that was able and not the best


def able(decision: Decision) -> tuple[Candidate, ...]:
    """The candidates that were within every limit, taken or not."""
    return tuple(c for c in decision.candidates if not c.rejected or c.rejected.startswith(_BEHIND))


def switched(decision: Decision, to: Candidate, why: str) -> Decision:
    """The decision with another of its able candidates taken, for a reason that stands outside the question."""
    taken = replace(to, rejected="")
    told = tuple(
        replace(c, rejected=_behind(c, taken)) if not c.rejected or c.rejected.startswith(_BEHIND) else c
        for c in decision.candidates
        if c.strategy != to.strategy
    )
    return replace(decision, strategy=to.strategy, why=why, candidates=(taken, *told))


def _behind(candidate: Candidate, chosen: Candidate) -> str:
    better = round(candidate.quality - chosen.quality, 2) + 0.0
    dearer = round(candidate.cost - chosen.cost, 2) + 0.0
    return f"{_BEHIND}{candidate.score:.3f} against {chosen.score:.3f}: quality {better:+.2f}, cost {dearer:+.2f}"
