"""What is test anywhere is trained on nowhere, and what is mined as wrong does not hold the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WIKI, NQ, HOPS = "squadshifts_new_wiki", "nq_open_oracle", "multihop_hotpot_2wiki_musique"
PLACES = [f"Place {number}" for number in range(80)]


def mayor(place: str) -> str:
    return f"Ada Roke{place[6:]}"


def text(place: str) -> str:
    return f"The mayor of {place} is {mayor(place)}. Farmers sell cheese in the market of {place}."


def row(name: str, places: list[str], gold: list[int]) -> dict[str, object]:
    contexts = [{"title": place, "text": text(place)} for place in places]
    marks = [{"context": index, "start": 0, "end": contexts[index]["text"].index(".")} for index in gold]
    answer = mayor(places[gold[0]])
    return {
        "id": name, "question": f"Who is the mayor of {places[gold[0]]}?", "answers": [answer], "contexts": contexts,
        "evidence": marks, "group": name,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sets on the same articles: single ones, pairs with distractors, and a set that is never trained on."""
    made = {
        WIKI: [row(f"w{n}", [place], [0]) for n, place in enumerate(PLACES)],
        HOPS: [row(f"h{n}", [PLACES[n], PLACES[-n - 1], PLACES[n + 20]], [0, 1]) for n in range(40)],
        NQ: [row(f"n{n}", [PLACES[n].upper().replace(" ", "_")], [0]) for n in range(0, 80, 9)],
    }
    for name, rows in made.items():
        (tmp_path / name).mkdir()
        lines = "".join(json.dumps(each) + "\n" for each in rows)
        (tmp_path / name / "normalized.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def test_no_article_is_in_two_parts_whatever_set_it_comes_from(folder: Path) -> None:
    from training.reader.sets import read

    every = read(folder)
    parts = {part: [e for e in every if e.part == part] for part in ("train", "dev", "test")}
    assert all({e.source for e in parts[part]} >= {WIKI} for part in parts), {k: len(v) for k, v in parts.items()}
    gold = {part: {e.passage.article for e in group} for part, group in parts.items()}
    seen = gold["train"] | {p.article for e in parts["train"] for p in e.negatives}
    assert {e.source for e in parts["test"]} == {WIKI, HOPS, NQ}
    assert any(e.source == HOPS for e in parts["train"])
    assert not seen & gold["test"]
    assert not seen & gold["dev"]
    assert not gold["dev"] & gold["test"]
    assert not {p.article for e in parts["dev"] for p in e.negatives} & gold["test"]


def test_what_was_never_to_be_trained_on_is_all_test_and_takes_its_articles_along(folder: Path) -> None:
    from training.reader.sets import read

    every = read(folder)
    held = {e.passage.article for e in every if e.source == NQ}
    assert {e.part for e in every if e.source == NQ} == {"test"}
    assert held
    assert not [e for e in every if e.source != NQ and e.part != "test" and e.passage.article in held]


def test_mined_passages_are_of_the_same_part_and_hold_no_answer(folder: Path) -> None:
    from training.reader.negatives import mine, unpaired
    from training.reader.sets import read

    every = unpaired(mine(read(folder)))
    test = {e.passage.article for e in every if e.part == "test"}
    train = [e for e in every if e.part == "train"]
    assert sum(len(e.negatives) for e in train) > len(train)
    for each in train:
        answers = [each.passage.text[start:end] for start, end in each.answers]
        assert answers or each.source == HOPS  # the second article of two does not say it
        assert not [p for p in each.negatives if p.article in test or any(a in p.text for a in answers)]
        assert each.passage not in each.negatives


def test_the_parts_depend_on_nothing_but_the_articles(folder: Path) -> None:
    from training.reader.sets import read

    before = {e.id: e.part for e in read(folder) if e.source == WIKI}
    for name in (HOPS, NQ):
        (folder / name / "normalized.jsonl").unlink()
        (folder / name).rmdir()
    alone = {e.id: e.part for e in read(folder)}
    assert {part for name, part in alone.items() if name in before} == {"train", "dev", "test"}
    assert all(alone[name] == part for name, part in before.items())
