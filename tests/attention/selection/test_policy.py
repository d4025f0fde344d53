"""The policy: what it takes, where a rule may decide, and what is seen whatever it decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragctx.attention import Extent
from ragctx.errors import ConfigError, UnknownName

torch = pytest.importorskip("torch", reason="needs the extra local")

PLAIN = {"gate": 128, "sinks": 64, "local": 64, "dense_layers": 0}


@pytest.fixture
def policy():
    from ragctx.attention.selection.policy import Sparsity

    return Sparsity.of


@pytest.fixture
def cut():
    def part(seen, begin, end):
        keys = type(seen.keys)(seen.keys.rows(0, end))
        return replace(seen, extent=Extent(end - begin, end), query=seen.query[begin:end], keys=keys)

    return part


def test_what_is_no_policy_is_refused(policy):
    assert policy("off") is None
    with pytest.raises(UnknownName, match="pooled"):
        policy({"rule": "pool"})
    with pytest.raises(UnknownName, match=r"unknown setting of pooled 'budgt'.*'budget'"):
        policy({"rule": "pooled", "budgt": 512})
    for wrong in ({"gate": -1}, {"sinks": "64"}, {"local": 1.5}, {"last_rows": True}, {"budget": 12}, {"decode": 3}, 7):
        with pytest.raises(ConfigError):
            policy(wrong)
    with pytest.raises(ConfigError, match="growth"):
        policy({"rule": "pooled", "growth": float("nan")})


def test_every_rule_can_be_named_and_tells_its_settings(row, made, policy):
    given = PLAIN | {"rule": row.name} | row.small
    one, other = policy(given), policy(given | {"dense_layers": 1})
    assert one == policy(dict(reversed(given.items())))
    assert one.fingerprint == policy(one).fingerprint != other.fingerprint
    assert policy(PLAIN | {"rule": row.name} | row.full).fingerprint != one.fingerprint
    assert policy({"decode": {"rule": row.name} | row.small}).decode == made(row)


def test_floors_count_for_rules_of_their_own(policy):
    made = policy({"rule": "streaming", "local": 64})
    assert made.rule.local == made.local == 64


@pytest.mark.parametrize("tokens", [1, 63, 64, 65, 127, 128, 129, 700])
def test_floors_are_always_seen(row, policy, shown, tokens):
    made = policy(PLAIN | {"gate": 0, "last_rows": 0, "sinks": 100, "local": 100, "rule": row.name} | row.small)
    index = made.index([shown(tokens)])
    if index is None:  # no whole tile
        assert tokens < 64
        return
    for tile in range(index.extents[0].tiles):
        sinks, local = (-(-row.small.get(name, 100) // 64) for name in ("sinks", "local"))  # a rule's own go first
        wanted = {*range(sinks), *range(tile - local, tile + 1)}
        assert {each for each in wanted if 0 <= each <= tile} <= set(index.row(0, 1, tile).tolist())


def test_what_the_policy_does_not_cover_is_dense(row, policy, shown):
    made = policy(PLAIN | {"rule": row.name, "dense_layers": 2} | row.small)
    long = shown(1000)
    assert made.index([long]) is None
    long = replace(long, layer=2)
    assert made.index([replace(shown(150), layer=2)]) is None  # up to the gate, but for the last rows
    assert made.index([replace(shown(1000, 999), layer=2)]) is None  # a step
    index = made.index([replace(shown(150), layer=2), long, replace(shown(1000, 999), layer=2)])
    assert index.density < 0.9
    assert index.row(0, 1, 2).tolist() == [0, 1, 2]
    assert index.row(2, 1, 0).tolist() == list(range(16))
    assert [index.row(1, 0, tile).tolist() for tile in (0, 1, 14, 15)] == [[*range(n)] for n in (1, 2, 15, 16)]


def test_steps_have_a_rule_of_their_own(row, policy, shown):
    made = policy(PLAIN | {"decode": {"rule": row.name} | row.small})
    assert made.index([shown(100, 99)]) is None
    index = made.index([shown(1500, 1499)])
    assert index.density < 0.8
    assert {0, 22, 23} <= set(index.row(0, 0, 0).tolist())


def test_a_prompts_last_query_alone_is_no_step(row, policy, shown):
    made = policy(PLAIN | {"decode": {"rule": row.name} | row.small})
    assert made.index([replace(shown(1500, 1499), prompt=True)]) is None


def test_requests_may_change_places(row, policy, shown):
    made = policy(PLAIN | {"rule": row.name} | row.small)
    seen = [shown(600, seed=1), shown(90, seed=2), shown(900, 192, seed=3)]
    index, turned = made.index(seen), made.index(seen[::-1])
    for request, one in enumerate(seen):
        for head in range(2):
            for tile in range(one.extent.tiles):
                assert (index.row(request, head, tile) == turned.row(2 - request, head, tile)).all()


@pytest.mark.parametrize("step", [64, 100, 512, 700])
def test_a_cut_adds_and_never_takes_away(row, policy, shown, cut, step):
    made = policy(PLAIN | {"rule": row.name, "last_rows": 32} | row.small)
    tokens, seen = 1100, shown(1100)
    whole = made.index([seen])
    for begin in range(0, tokens, step):
        end = min(begin + step, tokens)
        index = made.index([cut(seen, begin, end)])
        for tile in range(index.extents[0].tiles if index else 0):
            first, last = index.extents[0].tile(tile)
            absolute = first // 64
            wanted, found = (set(each.tolist()) for each in (whole.row(0, 1, absolute), index.row(0, 1, tile)))
            if last - first == 64 and last <= end - 32:
                assert found == wanted
            else:
                assert found == set(range(absolute + 1))


def test_a_policy_that_leaves_nothing_out_is_dense_attention(row, policy, shown):
    from ragctx.attention.reference import attend

    seen = shown(700, 100)
    index = policy(PLAIN | {"rule": row.name} | row.full).index([seen])
    keys = [seen.keys.rows(0, 700)]
    dense = type(index).dense([seen.extent], 2)
    assert index.density == 1
    assert torch.equal(attend(seen.query, keys, keys, index).output, attend(seen.query, keys, keys, dense).output)
