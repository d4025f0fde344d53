"""How well a response's citations carry it, by the rules of two benchmarks; whoever judges is passed in.

The sources judge with an entailment model and with a large reader. A judge here is a function, so that any of them
fits; `worded` judges by words alone: it is quick and the same everywhere, and its figures are not the sources'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragctx.evaluation.metrics import tokens
from ragctx.evaluation.spans import Overlap

Entails = Callable[[str, str], bool]
Supports = Callable[[str, str], float]
_MOST_CITED = 3


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a response with the numbers of the passages it cites, from 0.

    Attributes:
        needs: whether it has to cite anything; greetings and summaries of what was said need not.
    """

    text: str
    cited: tuple[int, ...] = ()
    needs: bool = True


def l_cite_eval(statements: Sequence[Statement], passages: Sequence[str], entails: Entails) -> Overlap:
    """Citation recall and precision over the sentences of a response.

    Recall: share of sentences that follow from the passages they cite, put together. Precision: share of citations
    that are needed: one is wrong where its sentence does not follow from all of them, or where it alone does not
    entail the sentence and the others without it do. At most three citations of a sentence are looked at; a sentence
    that cites a passage that is not there, or none, is not supported.

    Source: L-CiteEval (Tang et al. 2024, arXiv 2410.02115), after ALCE (Gao et al. 2023, arXiv 2305.14627).

    Args:
        statements: the response's sentences.
        passages: what the numbers point at.
        entails: whether a premise entails a claim.

    Example:
        >>> l_cite_eval([Statement("Rent is 900.", (0, 1))], ["Rent is 900.", "Pets may stay."], worded())
        Overlap(precision=0.5, recall=1.0)
    """
    supported = needed = given = 0
    for statement in statements:
        cited = statement.cited[:_MOST_CITED]
        given += len(cited)
        if not _follows(statement.text, cited, passages, entails):
            continue
        supported += 1
        needed += sum(_needed(number, statement.text, cited, passages, entails) for number in cited)
    return Overlap(needed / given if given else 0.0, supported / len(statements) if statements else 0.0)


def longbench_cite(
    statements: Sequence[Statement], passages: Sequence[str], supports: Supports, relevant: Entails
) -> Overlap:
    """Citation recall and precision of a response, partial support counting half.

    Recall: mean over statements of 1, 0.5 or 0 for full, partial or no support by all it cites together; a statement
    that cites nothing scores 1 where it need not and 0 where it must. Precision: share of cited passages that bear on
    their statement.

    Source: LongBench-Cite (Zhang et al. 2024, arXiv 2409.02897).

    Args:
        statements: the response's statements.
        passages: what the numbers point at.
        supports: how far a text supports a statement: 1, 0.5 or 0.
        relevant: whether a passage bears on a statement.

    Raises:
        ValueError: a judge gives something else.

    Example:
        >>> said = [Statement("Rent is 900.", (0,)), Statement("Well.", needs=False)]
        >>> longbench_cite(said, ["Rent."], supports=lambda premise, claim: 0.5, relevant=worded(0.3))
        Overlap(precision=1.0, recall=0.75)
    """
    if not statements:
        return Overlap(0.0, 0.0)
    support = [_support(statement, passages, supports) for statement in statements]
    cited = [(number, one.text) for one in statements for number in one.cited]
    right = sum(_is_there(number, passages) and relevant(passages[number], text) for number, text in cited)
    return Overlap(right / len(cited) if cited else 0.0, sum(support) / len(statements))


def worded(least: float = 0.75) -> Entails:
    """A judge that looks for a claim's words in the premise and is content with a share of them.

    Example:
        >>> worded()("The rent is 900 crowns a month.", "Rent: 900 crowns")
        True
    """

    def entails(premise: str, claim: str) -> bool:
        wanted, held = tokens(claim), set(tokens(premise))
        return bool(wanted) and sum(word in held for word in wanted) >= least * len(wanted)

    return entails


def _follows(text: str, cited: Sequence[int], passages: Sequence[str], entails: Entails) -> bool:
    if not cited or not all(_is_there(number, passages) for number in cited):
        return False
    return entails(" ".join(passages[number] for number in cited), text)


def _needed(number: int, text: str, cited: Sequence[int], passages: Sequence[str], entails: Entails) -> bool:
    if entails(passages[number], text):
        return True
    others = [other for other in cited if other != number]
    return not _follows(text, others, passages, entails)


def _support(statement: Statement, passages: Sequence[str], supports: Supports) -> float:
    if not statement.cited:
        return float(not statement.needs)
    found = [passages[number] for number in statement.cited if _is_there(number, passages)]
    score = supports(" ".join(found), statement.text) if found else 0.0
    if score not in (0.0, 0.5, 1.0):
        raise ValueError(f"support is 1, 0.5 or 0, not {score}")
    return score


def _is_there(number: int, passages: Sequence[str]) -> bool:
    return 0 <= number < len(passages)
