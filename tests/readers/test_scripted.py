"""The scripted reader: what it says, how it fails, and that it is what other tests take it for."""

import asyncio
import json
import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.contracts import BatchBackend, RemoteBackend
from ragctx.errors import ConfigError
from ragctx.models import pieces_of
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote, WordCounter, open_reader
from ragctx.work import Completion, Embed, Failure, Generate, Message, Rerank, Sampling, Score


def ask(text, **sampling):
    return Generate((Message("system", "be brief"), Message("user", text)), sampling=Sampling(**sampling))


def serve(reader, *requests):
    heard = []
    replies = reader.serve(requests, lambda index, text: heard.append((index, text)))
    return replies, heard


def said(reader, text, **sampling):
    [reply], _ = serve(reader, ask(text, **sampling))
    return reply


def test_it_echoes_by_default_and_counts_exactly():
    reply = said(Scripted(), "Three months, mostly.")
    assert (reply.text, reply.output_tokens, reply.exact) == ("Three months, mostly.", 5, True)
    assert reply.prompt_tokens == 1 + (1 + 2) + (1 + 5)
    assert reply.prompt_tokens == Scripted().facts.counter.render(ask("Three months, mostly.").messages)


def test_the_first_rule_that_matches_speaks():
    rules = [Rule("notice", "first"), Rule(re.compile(r"(?i)NOTICE|rent"), "second"), Rule("x", lambda r: "called")]
    reader = Scripted(rules, default="default")
    assert [said(reader, text).text for text in ("notice", "Rent?", "x", "?")] == [
        "first",
        "second",
        "called",
        "default",
    ]


def test_rules_look_at_the_last_user_message_only():
    messages = (Message("user", "notice"), Message("assistant", "notice"), Message("user", "other"))
    [reply], _ = serve(Scripted([Rule("notice", "no")], default="yes"), Generate(messages))
    assert reply.text == "yes"


def test_a_function_may_return_a_whole_reply():
    whole = Completion("x", 7, 8, finish="filter")
    failure = Failure("refused", "no")
    assert said(Scripted(default=lambda request: whole), "q") is whole
    assert said(Scripted(default=lambda request: failure), "q") is failure


def test_failures_before_success_are_counted_for_each_prompt():
    flaky = Failure("rate_limit", "slow down", retry_after=0.5)
    reader = Scripted([Rule("q", "yes", failures=2, failure=flaky)])
    assert [said(reader, "q one") for _ in range(3)][:2] == [flaky, flaky]
    assert said(reader, "q two") == flaky
    assert said(reader, "q one").text == "yes"


def test_output_is_cut_at_max_tokens_and_stopped_at_stop():
    reply = said(Scripted(default="One, two. three"), "q", max_tokens=3)
    assert (reply.text, reply.output_tokens, reply.finish) == ("One, two", 3, "length")
    reply = said(Scripted(default="One, two. three"), "q", stop=("nowhere", " two", "."))
    assert (reply.text, reply.finish) == ("One,", "stop")


@given(st.text(max_size=60), st.integers(0, 20))
def test_it_never_writes_more_than_max_tokens(text, most):
    reply = said(Scripted(default=text), "q", max_tokens=most)
    assert WordCounter().count(reply.text) == reply.output_tokens <= most
    assert text.startswith(reply.text)


def test_token_counts_and_log_probabilities():
    reply = said(Scripted([Rule("q", "a b", prompt_tokens=90, output_tokens=10)]), "q", logprobs=True)
    assert (reply.prompt_tokens, reply.output_tokens, len(reply.logprobs)) == (90, 10, 10)
    assert all(value < 0 for value in reply.logprobs)
    assert said(Scripted(), "q").logprobs == ()


def test_delays():
    began = time.perf_counter()
    serve(Scripted([Rule("slow", "x", delay=0.05)]), ask("slow"), ask("slow"), ask("fast"))
    assert 0.05 <= time.perf_counter() - began < 0.5  # once for a batch, not once for each


def test_it_streams_word_by_word():
    _, heard = serve(Scripted(default="one two  three"), ask("a"), Score("a", "b"), ask("b"))
    assert heard == [(i, word) for i in (0, 2) for word in ("one ", "two  ", "three")]


def test_a_prompt_longer_than_the_window_fails():
    assert said(Scripted(window=10), "word " * 20).kind == "too_long"


def test_scores_are_deterministic_and_line_up():
    first, second = serve(Scripted(), Score("p", "b, c"), Score("p", "b, c"))[0]
    assert first == second
    assert len(first.logprobs) == len(first.tokens) == 3
    assert ["b, c"[a:b] for a, b in first.offsets] == ["b", ",", " c"]
    assert serve(Scripted(), Score("other", "b, c"))[0][0].logprobs != first.logprobs


def test_scores_of_ids_are_those_of_the_text():
    pieces = pieces_of(Scripted().facts).pieces
    texts = "The rent is due.", "When is the rent due?"
    asked = [Score(*texts, whole=True), Score(*(tuple(pieces(text)[0]) for text in texts), whole=True)]
    [text, ids], _ = serve(Scripted(), *asked)
    assert (ids.logprobs, ids.before, ids.tokens) == (text.logprobs, text.before, text.tokens)
    assert ids.offsets == ()


def test_the_whole_is_what_a_score_of_the_prefix_says():
    [whole, prefix, alone], _ = serve(
        Scripted(),
        Score("Rent is due.", "When?", whole=True),
        Score("", "Rent is due."),
        Score("Rent is due.", "When?"),
    )
    assert whole.before == (0.0, *prefix.logprobs[1:])
    assert whole.logprobs == alone.logprobs
    assert prefix.logprobs[0] < 0 == len(alone.before)


def test_what_the_prefix_says_is_expected():
    question = "When is the rent due?"
    [told, other], _ = serve(
        Scripted(), Score("The rent is due on the first day.", question), Score("Dogs live in towns.", question)
    )
    assert sum(told.logprobs) > 0.6 * sum(other.logprobs) > sum(other.logprobs)


def test_a_score_longer_than_the_window_fails():
    assert serve(Scripted(window=10), Score("word " * 8, "word " * 8))[0][0].kind == "too_long"


@given(st.text(max_size=60))
def test_pieces_stand_edge_to_edge_and_are_what_is_counted(text):
    ids, offsets = WordCounter().pieces(text)
    assert len(ids) == len(offsets) == WordCounter().count(text)
    assert "".join(text[start:end] for start, end in offsets) == (text if text.strip() else "")


def test_dense_scripts_are_counted_by_character():
    assert WordCounter().pieces("通知期 is three")[1] == [(0, 1), (1, 2), (2, 3), (3, 6), (6, 12)]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_vectors_are_unit_and_deterministic(texts):
    [vectors], _ = serve(Scripted(dimensions=16), Embed(tuple(texts)))
    assert vectors.rows.shape == (len(texts), 16)
    assert vectors.rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors.rows, axis=1), 1)
    assert np.array_equal(vectors.rows, serve(Scripted(dimensions=16), Embed(tuple(texts)))[0][0].rows)


def test_texts_with_the_same_words_are_near():
    [vectors], _ = serve(Scripted(), Embed(("the notice period", "Period, notice: the!", "rabbits")))
    assert vectors.rows[0] @ vectors.rows[1] > 0.99
    assert vectors.rows[0] @ vectors.rows[2] < 0.5


def test_relevance_is_the_share_of_query_words():
    [relevances], _ = serve(Scripted(), Rerank("notice period", ("The NOTICE period", "period", "rent")))
    assert relevances.values == (1.0, 0.5, 0.0)


def test_units_are_weighed_like_texts():
    texts, units = ("The notice. The period.", "rent"), (((0, 11), (12, 23)), ())
    [relevances], _ = serve(Scripted(), Rerank("notice period", texts, units=units))
    assert relevances.keeps == ((0.5, 0.5), ())
    assert relevances.answers == ()
    assert serve(Scripted(), Rerank("notice period", texts))[0][0].keeps == ()


def test_answers_are_runs_of_the_query_or_what_a_rule_replies():
    text = "A notice. The notice period is three months."
    [counted], _ = serve(Scripted(), Rerank("notice period?", (text, "rent"), answers=2))
    [told], _ = serve(Scripted([Rule("notice", "three months")]), Rerank("notice period?", (text, "rent"), answers=2))
    assert [text[a.start : a.end] for a in counted.answers[0]] == ["notice period", "notice"]
    assert [a.probability for a in counted.answers[0]] == [1.0, 0.5]
    assert counted.answers[1] == ()
    assert [(text[a.start : a.end], a.probability) for a in told.answers[0]] == [("three months", 1.0)]
    assert told.answers[1] == ()


def test_it_answers_every_kind_of_ranking():
    assert Scripted().facts.kinds >= {"Rerank", "Prune", "Extract"}


def test_calls_are_recorded_unless_told_otherwise():
    for record in (True, False):
        reader = Scripted(record=record)
        serve(reader, ask("a"), ask("b"))
        assert [len(call) for call in reader.calls] == ([2] if record else [])


def test_it_is_what_the_contracts_ask_for():
    assert isinstance(Scripted(), BatchBackend)
    assert isinstance(ScriptedRemote(), RemoteBackend)
    assert not hasattr(ScriptedRemote(), "serve")
    assert not hasattr(Scripted(), "call")


def test_the_remote_style_says_the_same():
    reader, heard = ScriptedRemote([Rule("q", "one two", delay=0.02)]), []
    reply = asyncio.run(reader.call(ask("q"), heard.append))
    assert (reply.text, heard, reply.seconds >= 0.02) == ("one two", ["one ", "two"], True)


def test_the_remote_style_counts_aborted_calls():
    reader = ScriptedRemote([Rule("q", "late", delay=30)])

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.call(ask("q"), lambda text: None), 0.02)

    asyncio.run(main())
    assert reader.aborted == 1


# Files.

SCRIPT = """
default = "It does not say."
window = 4096
prices = {prompt = 0.1, output = 0.4, dated = "2026-01-01"}

[[rule]]
match = "notice"
reply = "Three months."
delay = 0.0
[[rule]]
regex = '(?i)^rent'
reply = "700"
output_tokens = 2
[[rule]]
match = "flaky"
reply = "At last."
failures = 1
failure = {kind = "rate_limit", retry_after = 0.25}
[[rule]]
match = "closed"
failure = {kind = "unauthorised", message = "no such key"}
"""


def written(tmp_path, text, name="script.toml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_script_in_toml(tmp_path):
    reader = open_reader(written(tmp_path, SCRIPT))
    assert said(reader, "the notice period").text == "Three months."
    assert said(reader, "Rent?").output_tokens == 2
    assert said(reader, "The rent?").text == "It does not say."
    assert said(reader, "flaky") == Failure("rate_limit", "a scripted failure", retry_after=0.25)
    assert said(reader, "flaky").text == "At last."
    assert [said(reader, "closed").kind for _ in range(3)] == ["unauthorised"] * 3
    assert reader.facts.window == 4096
    assert reader.facts.prices.output == 0.4
    assert reader.facts.name.startswith("scripted:")


def test_a_script_in_json_and_options(tmp_path):
    text = json.dumps({"default": "yes", "concurrency": 3, "batch": 2, "rule": [{"match": "a", "reply": "b"}]})
    path = written(tmp_path, text, "script.json")
    batch, remote = open_reader(path, window=9), open_reader(path, remote=True, concurrency=5)
    assert (batch.batch, batch.facts.window, remote.concurrency) == (2, 9, 5)
    assert isinstance(remote, ScriptedRemote)
    assert said(batch, "a").text == "b"


def test_echo_needs_no_file():
    assert said(open_reader("echo"), "hello").text == "hello"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default = ", "TOML or JSON"),
        ('defualt = "x"', "no key defualt"),
        ('[[rule]]\nmatches = "x"', "a rule has no key matches"),
        ("[[rule]]\nregex = '('", "regex"),
        ('[[rule]]\nfailure = {kind = "sad"}', "no failure is called 'sad'"),
        ('[[rule]]\nfailure = {sort = "server"}', "a failure has no key sort"),
        ("prices = {input = 1}", "prices has no key input"),
        ('rule = ["x"]', "must be a table"),
    ],
)
def test_a_script_that_is_wrong_says_where(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        open_reader(written(tmp_path, text))


def test_an_option_that_is_unknown():
    with pytest.raises(ConfigError, match="no option dtype"):
        open_reader("echo", dtype="float32")


def test_a_script_that_is_missing(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        open_reader(str(tmp_path / "none.toml"))


def identity(*rules, **options):
    return Scripted(rules, **options).facts.identity


def test_what_a_script_says_is_its_identity():
    rules = (Rule("a", "b"), Rule(re.compile("(?i)x"), Failure("server", "no")))
    assert identity(*rules) == identity(*rules) == ScriptedRemote(rules).facts.identity
    others = [
        identity(), identity(*rules[:1]), identity(*rules, default="no"), identity(Rule("a", "c")),
        identity(rules[0], Rule(re.compile("x"), Failure("server", "no"))), identity(*rules, name="other"),
    ]  # fmt: skip
    assert len({*others, identity(*rules)}) == len(others) + 1


def test_what_functions_say_belongs_to_one_object():
    rule = Rule("a", lambda request: "b")
    assert identity(rule) != identity(rule)


def test_an_edited_script_is_another_model(tmp_path):
    script = tmp_path / "script.toml"
    found = []
    for said in ("Three.", "Four.", "Three."):
        script.write_text(f'default = "{said}"')
        found.append(open_reader(str(script)).facts.identity)
    assert found[0] == found[2] != found[1]
