"""Measures of one kind of task: naming a class, counting, finding a paragraph, completing code, choosing an option."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"\d+")
_PARAGRAPH = re.compile(r"(?:Paragraph |段落)(\d+)")
_NO_CODE = ("`", "#", "//")
_OPTIONS = "ABCD"
_STANDING = re.compile(r"\s*[A-Z](?=[\s.)])")


def classification(prediction: str, answers: Iterable[str], classes: Sequence[str]) -> float:
    """One over the number of classes that the prediction names, if the right one is among them.

    A named class that is only a part of the right one is not counted. The source removes those while it walks over the
    list, so that the one after each is passed over; so does this.

    Source: LongBench (arXiv 2308.14508), trec and lsht.

    Example:
        >>> classification("a food or an animal", ["food"], ["food", "animal", "city"])
        0.5
    """
    return max((_classified(prediction, answer, classes) for answer in answers), default=0.0)


def count(prediction: str, answers: Iterable[str]) -> float:
    """Share of the prediction's whole numbers that are the right one; 0 where it has none.

    Source: LongBench (arXiv 2308.14508), passage count.

    Example:
        >>> count("There are 7, or 8.", ["7"])
        0.5
    """
    return max((_share_of_numbers(prediction, answer) for answer in answers), default=0.0)


def retrieval(prediction: str, answers: Iterable[str]) -> float:
    """Share of the prediction's whole numbers that are the right paragraph's; the answer reads "Paragraph 7".

    Source: LongBench (arXiv 2308.14508), passage retrieval, English and Chinese.

    Example:
        >>> retrieval("Paragraph 7", ["Paragraph 7"])
        1.0
    """
    numbers = (found.group(1) for answer in answers if (found := _PARAGRAPH.search(answer)))
    return max((_share_of_numbers(prediction, number) for number in numbers), default=0.0)


def code_similarity(prediction: str, answers: Iterable[str]) -> float:
    """How alike the first line of code and the right line are, in whole hundredths.

    The first line without a backquote, `#` or `//` is compared; the ratio is twice the matching characters over all,
    as `difflib` finds them, on which the source's fuzzy matcher rests where nothing faster is installed beside it.

    Source: LongBench (arXiv 2308.14508), lcc and repobench-p.

    Example:
        >>> code_similarity("```python" + chr(10) + "return a + b", ["return a - b"])
        0.92
    """
    lines = prediction.lstrip("\n").split("\n")
    line = next((line for line in lines if not any(mark in line for mark in _NO_CODE)), "")
    return max((_ratio(line, answer) for answer in answers), default=0.0)


def option(prediction: str, answers: Iterable[str]) -> float:
    """1 if the prediction chooses the right option: its first capital letter from A to D; "A" where it has none.

    Source: L-Eval (An et al. 2023, arXiv 2307.11088), its sets with one right option.

    Example:
        >>> option("It is B, not C.", ["B"]), option("(c)", ["C"])
        (1.0, 0.0)
    """
    chosen = prediction if prediction in _OPTIONS else next((mark for mark in prediction if mark in _OPTIONS), "A")
    return _same(chosen, answers)


def options(prediction: str, answers: Iterable[str]) -> float:
    """1 if the prediction chooses exactly the right options, of which there may be several ("ACD").

    They are the letters it begins with, or those that stand before a blank, a full stop or a bracket up to the word
    "Question"; "A" where there is none.

    Source: L-Eval (arXiv 2307.11088), coursera.

    Example:
        >>> options("A. and C.", ["AC"]), options("DCA", ["ACD"])
        (1.0, 1.0)
    """
    # By the source's test any part of "ABCD", even none of it, stands for itself; so above.
    return _same(prediction if prediction in _OPTIONS else _several(prediction), answers)


def ruler_all(prediction: str, answers: Iterable[str]) -> float:
    """Share of the answers that occur in the prediction, whatever their case; all of them are wanted.

    Source: RULER (Hsieh et al. 2024, arXiv 2404.06654), every task but question answering.

    Example:
        >>> ruler_all("41 and 52", ["41", "63"])
        0.5
    """
    wanted = [answer.lower() for answer in answers]
    return sum(answer in prediction.lower() for answer in wanted) / len(wanted) if wanted else 0.0


def ruler_any(prediction: str, answers: Iterable[str]) -> float:
    """1 if any of the answers occurs in the prediction, whatever its case.

    Source: RULER (arXiv 2404.06654), question answering.

    Example:
        >>> ruler_any("In Fenmark.", ["fenmark", "Orla"])
        1.0
    """
    return float(any(answer.lower() in prediction.lower() for answer in answers))


def first_line(prediction: str) -> str:
    """The first line that is not empty, which is all of a prediction that some of LongBench's sets look at."""
    return prediction.lstrip("\n").split("\n")[0]


def _classified(prediction: str, answer: str, classes: Sequence[str]) -> float:
    named = [name for name in classes if name in prediction]
    for name in named:
        if name in answer and name != answer:
            named.remove(name)  # the source changes the list it walks over, and figures depend on it
    return 1 / len(named) if answer in named else 0.0


def _share_of_numbers(prediction: str, wanted: str) -> float:
    numbers = _NUMBER.findall(prediction)
    return sum(number == wanted for number in numbers) / len(numbers) if numbers else 0.0


def _ratio(one: str, other: str) -> float:
    if one == other:
        return 1.0
    return round(100 * difflib.SequenceMatcher(None, one, other).ratio()) / 100 if one and other else 0.0


def _several(prediction: str) -> str:
    lead = prediction[: len(prediction) - len(prediction.lstrip(_OPTIONS))]
    if len(lead) > 1:
        return "".join(sorted(set(lead)))
    rest = prediction[len(lead) :].split("Question")[0]
    found = {letter for letter in lead + "".join(_STANDING.findall(rest)) if letter in _OPTIONS}
    return "".join(sorted(found)) or "A"


def _same(chosen: str, answers: Iterable[str]) -> float:
    return float(any(chosen == _gold(answer) for answer in answers))


def _gold(answer: str) -> str:
    word = (answer.split() or [""])[0]
    return "".join(letter for letter in word if letter in _OPTIONS) or "A"
