"""Marks, refusals, citations, and the answer built from them."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.grounding import cite, grounded, refuses, sentences
from ragctx.prompts import quoted, shipped
from ragctx.types import Context, Document, Question, Span
from ragctx.work import Completion

LEASE = (
    "Rent is 1,200 euros a month. It is due on the first day. The notice period is three months. "
    "Pets are welcome if the landlord agrees in writing. The deposit is two months' rent."
)


def answer(text: str, corpus: Corpus, question: str = "What is the notice period?", **more: object):
    return grounded(Question(question), "full", Completion(text, **more), corpus.everything(), corpus)


@pytest.mark.parametrize(
    ("said", "text", "cited"),
    [
        ("Three months [1].", "Three months.", [(1,)]),
        ("Three months.[1]", "Three months.", [(1,)]),
        ("[2] Three months.", "Three months.", [(2,)]),
        ("A is so [1, 2]. B is not [3][4].", "A is so. B is not.", [(1, 2), (3, 4)]),
        ("A is so [1-3].", "A is so.", [(1, 2, 3)]),
        ("A is so (document 2). B too [Passage 1].", "A is so. B too.", [(2,), (1,)]),
        ("三个月【1】。", "三个月。", [(1,)]),
        ("R v Smith [2019] is cited.", "R v Smith [2019] is cited.", [()]),
        ("[1]", "", []),
        ("", "", []),
    ],
)
def test_marks_leave_the_text(said: str, text: str, cited: list[tuple[int, ...]]) -> None:
    bare, found = sentences(said)
    assert bare == text
    assert [sentence.cited for sentence in found] == cited


@given(st.text(alphabet="ab1. [],【】-\n", max_size=60))
def test_any_text_is_taken_apart(said: str) -> None:
    bare, found = sentences(said)
    assert bare == bare.strip()
    assert "".join(s.text for s in found).replace(" ", "").replace("\n", "") == "".join(bare.split())


@pytest.mark.parametrize(
    "said",
    [
        "Not in the documents.", "not in the documents", '"Not in the documents."',
        "Not in the documents. The lease is silent.",
        "The salary is not mentioned in the provided context.", "The documents do not specify a date.",
        "The passages don't say.", "There is no information about pets in the text.", "I cannot find the answer.",
        "I don't know.", "Unknown.",
        "The answer is: Not in the documents.", "The name of the dog was not given in any of the documents.",
        "文档中没有提到。", "文中未提及租金。", "无法回答", "資料には記載されていません。", "N/A", "Not specified.",
        "The fee has not been given in the context.", "The fee cannot be determined from the provided documents.",
        "The fee is not explicitly or even indirectly stated in the text.",
        "The fee is nowhere mentioned in the lease.",
        "The fee isn't mentioned in section 2 of the document.", "I do not have enough information.",
        "The text does not provide information on the dog's name.", "No information is given in the documents.",
    ],
)  # fmt: skip
def test_refusals(said: str) -> None:
    assert refuses(said, shipped().refusal)


@pytest.mark.parametrize(
    "said",
    [
        "Three months.", "Not in the documents of 2019 but in those of 2020.", "", "No.",
        "The contract does not mention a fee.",
        "Three months; the deposit is not mentioned in the documents.", "Unknown Pleasures was released in 1979.",
        "Notice is three months, but the fee is not stated in the documents.", "No pets are allowed.",
        "He did not pay the rent.",
        "Nobody was informed about it.", "通知期间为三个月。",
        "The documents do not state a date for the first, however the second ended in May.",
        "The tenant must not disclose the terms stated in the documents.", "I don't have to pay rent in May.",
        "The information is not given to third parties in the contract documents.",
        "Pets are not mentioned by name in the text, only dogs are forbidden.",
        "The supplier did not include insurance in the data sheet.", "I do not have a dog.",
        "The files are not found in the data room.",
    ],
)  # fmt: skip
def test_answers_are_no_refusals(said: str) -> None:
    assert not refuses(said, shipped().refusal)


def test_the_cited_sentence_is_found() -> None:
    corpus = Corpus.of(LEASE)
    made = answer("Three months [1].", corpus)
    assert (made.text, made.unverified) == ("Three months.", 0)
    [citation] = made.citations
    assert citation.text == "The notice period is three months."
    assert corpus.text(citation.span) == citation.text
    assert (citation.source, citation.support) == ("text-1", 1.0)


def test_figures_must_agree() -> None:
    made = answer("The notice period is six months [1].", Corpus.of(LEASE))
    assert made.citations == ()
    assert made.unverified == 1


@pytest.mark.parametrize("said", ["The rent is 1200 euros [1].", "Rent: 1,200 euros. [1]"])
def test_figures_agree_however_they_are_written(said: str) -> None:
    assert answer(said, Corpus.of(LEASE), "What is the rent?").citations[0].text == "Rent is 1,200 euros a month."


def test_a_number_that_was_not_given_is_dropped_and_counted() -> None:
    made = answer("Three months [7].", Corpus.of(LEASE))
    assert made.unverified == 1
    assert made.citations[0].text == "The notice period is three months.", "found without the model's help"


def test_what_is_not_cited_is_found() -> None:
    corpus = Corpus.of("The moon is far.", LEASE)
    made = answer("The notice period is three months and pets are welcome if the landlord agrees.", corpus)
    assert sorted(c.text for c in made.citations) == [
        "Pets are welcome if the landlord agrees in writing.",
        "The notice period is three months.",
    ]
    assert {c.span.document for c in made.citations} == {"text-2"}
    assert all(0 < c.support < 1 for c in made.citations)


@pytest.mark.parametrize("said", ["Bananas are yellow.", "Yes.", "Indeed it would be so."])
def test_what_nothing_carries_has_no_citation(said: str) -> None:
    assert answer(said, Corpus.of(LEASE)).citations == ()


def test_chinese() -> None:
    corpus = Corpus.of("租金每月一号到期。通知期间为三个月。允许养宠物。")
    assert answer("通知期间是三个月[1]。", corpus, "通知期间有多长?").citations[0].text == "通知期间为三个月。"


def test_pages_are_named() -> None:
    first = "Rent is due on the first day. "
    corpus = Corpus.over(Document("lease.pdf", first + "The notice period is three months.", pages=(0, len(first))))
    assert answer("Three months [1].", corpus).citations[0].page == 2


def test_a_citation_of_an_endless_line_is_cut_to_what_matters() -> None:
    corpus = Corpus.of("alpha beta gamma " * 3000 + "the notice period is three months " + "delta epsilon " * 3000)
    [citation] = answer("The notice period is three months [1].", corpus).citations
    assert "notice period is three months" in citation.text
    assert len(citation.text) < 1500
    assert corpus.text(citation.span) == citation.text


def test_a_book_is_searched_quickly() -> None:
    book = "\n\n".join(
        f"Chapter {n} speaks of the {n}th house. It was sold to person {n % 97} in {1500 + n}." for n in range(12_000)
    )
    corpus = Corpus.of(book)
    started = time.process_time()
    made = answer("The house of chapter 7000 was sold in 8500.", corpus, "When was it sold?")
    assert time.process_time() - started < 3
    assert [citation.text for citation in made.citations] == [
        "Chapter 7000 speaks of the 7000th house.",
        "It was sold to person 16 in 8500.",
    ]


def test_refusal() -> None:
    made = answer("Not in the documents.", Corpus.of(LEASE))
    assert (made.text, made.answerable, made.citations) == ("The documents do not answer this question.", False, ())
    assert made.coverage[0].share == 1.0


DENIALS = (
    "The tenant must not disclose the terms stated in the documents. The tenant does not have to pay rent in May. "
    "The information is not given to third parties in the contract documents. Dogs are forbidden. "
    "The supplier did not include insurance in the data sheet. The rates are not stated in this document. "
    "The deposit is two months' rent. The notice period may not be shortened. "
    "Keys cannot be found by strangers in the hall."
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("What must stay secret?", "The tenant must not disclose the terms stated in the documents. [1]"),
        ("When is no rent due?", "I don't have to pay rent in May."),
        ("Who is told?", "The information is not given to third parties in the contract documents."),
        ("Are pets allowed?", "Pets are not mentioned by name in the text, only dogs are forbidden."),
        ("Is it insured?", "The supplier did not include insurance in the data sheet."),
        ("Where are the rates?", "The rates are not stated in this document. [1]"),
        ("Can strangers find keys?", "I cannot find keys by strangers in the hall. [1]"),
    ],
)
def test_what_the_documents_deny_is_an_answer(asked: str, said: str) -> None:
    made = answer(said, Corpus.of(DENIALS), asked)
    assert made.answerable
    assert made.text == said.removesuffix(" [1]")


@pytest.mark.parametrize(
    "said",
    [
        "The notice period is not stated in the documents. [1]", "The deposit is not mentioned in the text [1].",
        "The documents do not specify the length of the notice period. [1]", "I cannot find the notice period. [1]",
        "No information about the notice period is given in the documents [1].",
    ],
)  # fmt: skip
def test_a_refusal_that_shares_words_with_a_source_stays_one_and_its_words_are_kept(said: str) -> None:
    made = answer(said, Corpus.of(DENIALS), "How long is the notice period?")
    assert (made.text, made.answerable, made.citations) == (shipped().unanswerable, False, ())
    words = sentences(said)[0]
    assert made.notes == (f"taken for a refusal; the model wrote: {words}",)


@pytest.mark.parametrize("said", ["Not in the documents.", '"not in the documents" [1]'])
def test_the_fixed_refusal_needs_no_note(said: str) -> None:
    assert answer(said, Corpus.of(LEASE)).notes == ()


@pytest.mark.parametrize(
    ("data", "said", "noted"),
    [
        (None, "The salary is not mentioned in the provided context.", True),
        (None, "Not in the documents.", False),
        ({"salary": None}, '{"salary": null}', False),
    ],
)
def test_words_in_place_of_data_are_kept(data: object, said: str, noted: bool) -> None:
    corpus = Corpus.of(LEASE)
    made = grounded(Question("Salary?"), "full", Completion(said), corpus.everything(), corpus, data=data)
    assert not made.answerable
    assert made.notes == ((f"taken for a refusal; the model wrote: {said}",) if noted else ())


def test_confidence_and_warnings() -> None:
    corpus = Corpus.of(LEASE)
    assert answer("Three months.", corpus).confidence is None
    made = answer("Three months.", corpus, logprobs=(math.log(0.5), math.log(0.5)), finish="length", output_tokens=2)
    assert made.confidence == 0.5
    assert "cut at 2 tokens" in made.notes[0]


PARTS = st.lists(
    st.sampled_from(["Rent is due. ", "Three months! ", "x" * 700 + " ", "\n\n", "通知期间。"]), min_size=1
)


@settings(max_examples=30, deadline=None)
@given(PARTS, st.text(max_size=40))
def test_every_citation_is_verbatim(parts: list[str], said: str) -> None:
    text = "".join(parts)
    if not text.strip():
        return
    corpus = Corpus.of(text)
    context = Context((corpus.passage(Span("text-1", 0, len(text))),))
    _, found = sentences(f"{said} rent is due three months 通知期间 [1]")
    for citation in cite(found, context, corpus, "When is rent due?").citations:
        assert corpus.text(citation.span) == citation.text
        assert citation.text.strip() == citation.text


def test_a_reply_of_the_marks_around_passages_alone_is_no_answer() -> None:
    corpus = Corpus.of("Pets are welcome.")
    context = corpus.everything()
    mark = quoted(context.passages, corpus.manifest)[0]
    with pytest.raises(RequestFailed, match="nothing but the marks around passages: ask in other words"):
        grounded(Question("Pets?"), "full", Completion(f"{mark} end"), context, corpus)
    assert grounded(Question("Pets?"), "full", Completion(f"{mark} text-1\nYes."), context, corpus).text == "Yes."
