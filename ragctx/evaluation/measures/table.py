"""Every measure of an answer by its name; what a data set names, and what `--metric` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ragctx.errors import InputError, UnknownName
from ragctx.evaluation import metrics as ours
from ragctx.evaluation import scoring
from ragctx.evaluation.measures import keywords, rouge, tasks, words
from ragctx.types import Answer, Question

CLASSES: Final = "classes"  # in a question's metadata: the names of all classes, one a line
KEYWORDS: Final = "keywords"  # in a question's metadata: what of the answer matters
DEFAULT: Final = "correct"
_Rule = Callable[[str, tuple[str, ...]], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of an answer's text against the gold of its question, 0 to 1.

    Attributes:
        source: where its rules were published. score: text and question to the score.
    """

    name: str
    source: str
    score: Callable[[str, Question], float]

    def of(self, answer: Answer | None, question: Question) -> float:
        """The score of an answer, failures and refusals included.

        No answer at all scores 0. Where nothing in the documents answers, declining scores 1 and everything else 0;
        where something does, declining scores 0, whatever its words.

        Raises:
            InputError: the question carries no gold for this measure.

        Example:
            >>> metric("squad-f1").of(Answer("three months"), Question("How long?", answers=("three months",)))
            1.0
        """
        if question.answerable is False:
            return float(answer is not None and not answer.answerable)
        self.must_judge(question)
        return self.score(answer.text, question) if answer is not None and answer.answerable else 0.0

    def must_judge(self, question: Question) -> None:
        """Refuse a question that this measure cannot score.

        Raises:
            InputError: it has no gold answers, or no classes where those are needed.
        """
        if question.answerable is False or (self.name == DEFAULT and scoring.key_points(question)):
            return
        if not question.answers:
            raise InputError(f"question {question.id} has no answers for {self.name}: add them, or leave it out")
        if self.name == "longbench-classification" and not question.metadata.get(CLASSES):
            raise InputError(f"question {question.id} has no classes for {self.name}: add them, or leave it out")


def metric(name: str) -> Metric:
    """The measure of that name.

    Raises:
        UnknownName: there is none; the message suggests the nearest.

    Example:
        >>> metric("rouge-l").source
        'Lin 2004, as rouge-score computes it'
    """
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    return METRICS[name]


def _over(rule: _Rule) -> Callable[[str, Question], float]:
    return lambda text, question: float(rule(text, question.answers))


def _first(rule: _Rule) -> Callable[[str, Question], float]:
    return lambda text, question: float(rule(tasks.first_line(text), question.answers))


def _correct(text: str, question: Question) -> float:
    return float(scoring.correct(Answer(text), question).correct)


def _classified(text: str, question: Question) -> float:
    classes = str(question.metadata.get(CLASSES) or "").split("\n")
    return tasks.classification(tasks.first_line(text), question.answers, classes)


def _keyworded(text: str, question: Question) -> float:
    return keywords.keyword_f1(text, question.answers, str(question.metadata.get(KEYWORDS) or ""))


def _keyworded_chinese(text: str, question: Question) -> float:
    return keywords.keyword_f1_chinese(text, question.answers, str(question.metadata.get(KEYWORDS) or ""))


_LONGBENCH: Final = "LongBench, arXiv 2308.14508"
_LV_EVAL: Final = "LV-Eval, arXiv 2402.05136"
_L_EVAL: Final = "L-Eval, arXiv 2307.11088"
_BY_CHARACTER: Final = ", by characters in place of jieba's words"
_EVERY: Final = (
    Metric(DEFAULT, "this project's rule, ragctx.evaluation.scoring", _correct),
    Metric("contains", "this project's rule: whole words, numbers kept", _over(ours.contains)),
    Metric("token-f1", "this project's rule: SQuAD's for every script", _over(ours.token_f1)),
    Metric("squad-em", "SQuAD, arXiv 1606.05250", _over(words.squad_exact)),
    Metric("squad-f1", "SQuAD 2, arXiv 1806.03822", _over(words.squad_f1)),
    Metric("rouge-l", "Lin 2004, as rouge-score computes it", _over(rouge.rouge_l)),
    Metric("longbench-f1", _LONGBENCH, _over(words.longbench_f1)),
    Metric("longbench-f1-first-line", _LONGBENCH, _first(words.longbench_f1)),
    Metric("longbench-f1-zh", _LONGBENCH + _BY_CHARACTER, _over(words.longbench_f1_chinese)),
    Metric("longbench-rouge-l", _LONGBENCH, _over(rouge.rouge_l_summary)),
    Metric("longbench-rouge-l-first-line", _LONGBENCH, _first(rouge.rouge_l_summary)),
    Metric("longbench-classification", _LONGBENCH, _classified),
    Metric("longbench-count", _LONGBENCH, _over(tasks.count)),
    Metric("longbench-retrieval", _LONGBENCH, _over(tasks.retrieval)),
    Metric("longbench-code", _LONGBENCH, _over(tasks.code_similarity)),
    Metric("helmet-contains", "HELMET, arXiv 2410.02694", _over(words.helmet_contains)),
    Metric("helmet-f1", "HELMET, arXiv 2410.02694", _over(words.helmet_f1)),
    Metric("leval-option", _L_EVAL, _over(tasks.option)),
    Metric("leval-options", _L_EVAL, _over(tasks.options)),
    Metric("lveval-f1", _LV_EVAL, _keyworded),
    Metric("lveval-f1-zh", _LV_EVAL + _BY_CHARACTER + ", no words left out", _keyworded_chinese),
    Metric("lveval-recall", _LV_EVAL, _over(keywords.fact_recall)),
    Metric("ruler-all", "RULER, arXiv 2404.06654", _over(tasks.ruler_all)),
    Metric("ruler-any", "RULER, arXiv 2404.06654", _over(tasks.ruler_any)),
)
METRICS: Final[Mapping[str, Metric]] = {one.name: one for one in _EVERY}
