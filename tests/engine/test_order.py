"""Which waiting requests go together."""

from hypothesis import given
from hypothesis import strategies as st

from ragctx.engine.activity import Activity
from ragctx.engine.order import block
from ragctx.work import Embed, Generate, Message, Rerank, Score

text = st.text("ab", max_size=4)
requests = st.one_of(
    st.builds(lambda t: Generate((Message("user", t),)), text),
    st.builds(Score, text, text),
    st.builds(lambda t: Embed((t,)), text),
    st.builds(lambda q, t: Rerank(q, (t,)), text, text),
)
queues = st.lists(requests, min_size=1, max_size=30)


@given(queues, st.integers(1, 8))
def test_a_block_is_one_class_not_too_large_and_holds_the_oldest(queue, size):
    numbered = list(enumerate(queue))
    chosen = block(numbered, lambda pair: pair[1], size)
    assert 1 <= len(chosen) <= size
    assert numbered[0] in chosen
    assert {type(request) for _, request in chosen} == {type(queue[0])}
    same = sum(type(request) is type(queue[0]) for request in queue)
    assert len(chosen) == min(size, same) or same % size


@given(queues, st.integers(1, 8))
def test_taking_blocks_serves_everything_once(queue, size):
    waiting, served = list(enumerate(queue)), []
    while waiting:
        chosen = block(waiting, lambda pair: pair[1], size)
        served += chosen
        waiting = [pair for pair in waiting if pair not in chosen]
    assert sorted(number for number, _ in served) == list(range(len(queue)))


def test_prompts_that_share_a_document_are_neighbours_and_stay_together():
    prompts = [Generate((Message("user", f"doc {d}: question {q}"),)) for q in range(4) for d in range(3)]
    chosen = block(prompts, lambda request: request, 4)
    assert len({request.messages[0].content[:5] for request in chosen}) == 1


def test_texts_are_sorted_by_length():
    queue = [Embed(("x" * n,)) for n in (5, 1, 9, 3)]
    assert [len(e.texts[0]) for e in block(queue, lambda e: e, 4)] == [1, 3, 5, 9]


def test_activity_tells_its_listeners_when_nothing_moves():
    told = []
    activity = Activity(listeners=[lambda: told.append(activity.quiet)])
    activity.add(2)
    activity.add(-1)
    assert not told
    activity.out = 1
    activity.add(-1)
    activity.out = 0
    activity.add(1)
    activity.add(-1)
    assert told == [False, True]
