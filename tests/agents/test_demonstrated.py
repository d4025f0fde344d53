"""Retrieval with demonstrations: whose documents are shown where, what gives way, and what is never shown."""

from __future__ import annotations

import json

import pytest

from ragctx.agents.computation import Allocation, Run
from ragctx.agents.demonstrated import DemonstratedRetrieval
from ragctx.agents.examples import Example, examples
from ragctx.corpus import Corpus
from ragctx.described import described
from ragctx.errors import BadQuestion, ConfigError
from ragctx.types import Budget, Question, Where

ASKED = Question("What is the notice period of the lease?")
PETS = Example("Are pets allowed?", "with consent")
RENT = Example("When is rent due?", "in May")
OWN = Example("Who wrote the ode?", "Ada Lind", ("The ode was written by Ada Lind.", "It has four parts."))


def corpus(copies: int = 1) -> Corpus:
    filler = "Clause {n} concerns matter {n}. It was agreed on and signed. " * (20 * copies)
    return Corpus.of({
        "lease": "The notice period of the lease is three months. " + filler.format(n=1),
        "pets": "Pets are allowed with consent of the owner. " + filler.format(n=2),
        "rent": "Rent is due in May. " + filler.format(n=3),
        "other": filler.format(n=4),
    })  # fmt: skip


def strategy(*demonstrations: Example, **options) -> DemonstratedRetrieval:
    return DemonstratedRetrieval(demonstrations, **{"retriever": "bm25", "documents": 2} | options)


def test_demonstrations_are_earlier_turns_with_their_own_documents(replying) -> None:
    reader = replying()
    answer = reader.answer(strategy(PETS, RENT), ASKED, corpus())
    [request] = reader.requests
    roles, texts = zip(*((message.role, message.content) for message in request.messages), strict=True)
    assert roles == ("system", "user", "assistant", "user", "assistant", "user")
    assert "Pets are allowed" in texts[1]
    assert texts[1].endswith("Question: Are pets allowed?\nAnswer:")
    assert texts[2].startswith("with consent [")
    assert "Rent is due in May" in texts[3]
    assert "three months" in texts[5]
    assert "Pets are allowed" not in texts[5]
    assert answer.citations[0].source == "lease"
    assert {one.document for one in answer.coverage if one.share > 0} >= {"lease", "pets", "rent"}


def test_the_best_document_stands_nearest_to_the_question(replying) -> None:
    reader = replying()
    reader.answer(strategy(PETS), ASKED, corpus())
    for message, best in zip(reader.requests[0].messages[1::2], ("pets", "lease"), strict=True):
        labels = [line for line in message.content.splitlines() if line.startswith("###") and "[" in line]
        assert labels[-1].endswith(f"] {best}")


def test_all_documents_share_one_fence(replying) -> None:
    reader = replying()
    reader.answer(strategy(OWN, RENT), ASKED, corpus())
    marks = {
        line.split()[1] for m in reader.requests[0].messages for line in m.content.splitlines() if line[:3] == "###"
    }
    assert len(marks) == 1
    assert marks.pop() in reader.requests[0].messages[0].content


def test_documents_of_ones_own_are_shown_and_never_cited(replying) -> None:
    reader = replying(says={"answer": "The ode was written by Ada Lind [1]."})
    answer = reader.answer(strategy(OWN), ASKED, corpus())
    assert "written by Ada Lind" in reader.requests[0].messages[1].content
    assert reader.requests[0].messages[2].content == "Ada Lind [2]"
    assert answer.citations == ()


def test_the_question_itself_is_never_a_demonstration(replying) -> None:
    reader = replying()
    leak = Example("what is the notice period of the lease", "SECRET")
    answer = reader.answer(strategy(leak, RENT, shots=1), ASKED, corpus())
    assert not any("SECRET" in message.content for message in reader.requests[0].messages)
    assert "Rent is due" in reader.requests[0].messages[1].content
    assert any("same question" in note for note in answer.notes)


def test_demonstrations_obey_the_filter(replying) -> None:
    reader = replying()
    asked = Question(ASKED.text, where=Where(documents=("lease",)))
    reader.answer(strategy(PETS), asked, corpus())
    assert not any("Pets are allowed" in message.content for message in reader.requests[0].messages)


def test_the_last_demonstrations_give_way(replying) -> None:
    shown = []
    for window in (550, 900, 1200, 1600, 2400, 4000):
        reader = replying(window=window)
        answer = reader.answer(strategy(PETS, RENT, OWN, shots=3, tokens=300, max_output=64), ASKED, corpus())
        assert "three months" in reader.requests[0].messages[-1].content
        shown.append((len(reader.requests[0].messages) - 2) // 2)
        assert shown[-1] == 3 or any("demonstration" in note for note in answer.notes)
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0, 3)


def test_without_demonstrations_it_reads_and_says_so(replying) -> None:
    answer = replying().answer(strategy(), ASKED, corpus())
    assert answer.text == "The notice period is three months."
    assert any("no demonstrations" in note for note in answer.notes)


def test_the_estimate_is_exact_where_finding_asks_no_model(replying) -> None:
    for given, budget in (((), None), ((PETS, OWN), None), ((PETS, RENT), Budget(tokens=1500))):
        reader, asked = replying(beside=()), Question(ASKED.text, budget=budget)
        estimate = strategy(*given).estimate(asked, corpus(), reader.models)
        reader.answer(strategy(*given), asked, corpus())
        assert estimate.exact
        assert estimate.prompt.expected == reader.prompt_tokens


def test_the_estimate_holds_where_vectors_are_asked(replying) -> None:
    reader, reading = replying(), strategy(PETS, RENT, OWN, shots=3, retriever="hybrid", documents=4)
    estimate = reading.estimate(ASKED, corpus(4), reader.models)
    reader.answer(reading, ASKED, corpus(4))
    assert estimate.prompt.low <= reader.prompt_tokens <= estimate.prompt.high
    assert estimate.prompt.expected == pytest.approx(reader.prompt_tokens, rel=0.15)


def test_turning_shows_others(replying) -> None:
    reader = replying()
    reader.answer(strategy(PETS, RENT, shots=1, start=1), ASKED, corpus())
    assert "Rent is due" in reader.requests[0].messages[1].content


def test_a_file_of_demonstrations(tmp_path) -> None:
    rows = [
        {"question": "Who?", "answer": "Ada", "documents": ["Ada did."], "steps": [["Where?", "there"]], "kind": "x"},
        {"question": "Which fee?", "answers": ["none", "0"], "answerable": False, "id": 3},
        {"question": "How many?", "answers": [12]},
        {"question": "Why?", "answer": "So.", "steps": [{"question": "When?", "answer": "now"}]},
    ]
    file = tmp_path / "shots.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    read = examples(file)
    assert read[0] == Example("Who?", "Ada", ("Ada did.",), (("Where?", "there"),))
    assert (read[1].answer, read[2].answer, read[3].steps) == ("", "12", (("When?", "now"),))
    first = described(DemonstratedRetrieval(str(file)))
    file.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert described(DemonstratedRetrieval(str(file))) != first, "a job's settings hold what the file said"


def test_a_refusal_can_be_demonstrated(replying) -> None:
    reader = replying()
    reader.answer(strategy(Example("Who paints?", "")), ASKED, corpus())
    assert reader.requests[0].messages[2].content == "Not in the documents."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "line 2"), ("[1]", "no object"), ('{"answer": "x"}', "no question"),
        ('{"question": "x"}', "no answer"), ('{"question": " ", "answer": "x"}', "blank"),
        ('{"question": "x", "answer": "y", "documents": [1]}', "documents"),
        ('{"question": "x", "answer": "y", "documents": 4}', "line 2"),
        ('{"question": "x", "answer": "y", "steps": ["a"]}', "pair"),
    ],
)  # fmt: skip
def test_bad_lines_are_told_with_their_number(tmp_path, line: str, said: str) -> None:
    file = tmp_path / "shots.jsonl"
    file.write_text('{"question": "a?", "answer": "b"}\n' + line, encoding="utf-8")
    with pytest.raises(BadQuestion) as caught:
        DemonstratedRetrieval(file)
    assert said in str(caught.value)
    assert "line 2" in str(caught.value)


def test_settings_that_make_no_sense(tmp_path) -> None:
    for wrong in ({"shots": -1}, {"documents": 0}, {"tokens": 0}, {"start": -1}):
        with pytest.raises(ConfigError, match="drag cannot read"):
            strategy(**wrong)
    with pytest.raises(ConfigError, match="cannot read the demonstrations"):
        DemonstratedRetrieval(tmp_path / "none.jsonl")


def test_the_allocation_sets_documents_and_shots() -> None:
    runs = [
        Run(k, m, 1, min(0.9, 0.1 + 0.02 * k + 0.1 * m), tokens=100 + 200 * k * (1 + m))
        for k in (0, 1, 5, 20) for m in (0, 1, 2)
    ]  # fmt: skip
    chosen = DemonstratedRetrieval.allocated(Allocation.fit(runs), 10**6, [PETS])
    assert (chosen.documents, chosen.shots) == (20, 1)
    with pytest.raises(ConfigError, match="no run has documents"):
        DemonstratedRetrieval.allocated(Allocation.fit([run for run in runs if not run.documents]), 10**6)
