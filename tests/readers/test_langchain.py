"""LangChain's own fake chat models, and one that counts and one that fails."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("langchain_core")

from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage
from pydantic import Field

from ragctx.errors import ConfigError
from ragctx.readers import open_model
from ragctx.readers.langchain import LangChainReader
from ragctx.work import Completion, Embed, Generate, Message, Sampling


def ask(reader, *, final=False, text="How long is the {notice} period?"):
    pieces = []
    request = Generate((Message("system", "Be brief."), Message("user", text)), final=final)
    return asyncio.run(reader.call(request, pieces.append)), pieces


def test_a_list_of_answers():
    reader = open_model(FakeListChatModel(responses=["Three months."]))
    reply, pieces = ask(reader)
    assert isinstance(reply, Completion)
    assert (reply.text, pieces) == ("Three months.", [])
    assert not reply.exact
    assert reply.prompt_tokens > 5


def test_the_final_answer_streams():
    reply, pieces = ask(open_model(FakeListChatModel(responses=["Naïve yes"])), final=True)
    assert len(pieces) > 3
    assert "".join(pieces) == reply.text == "Naïve yes"


def test_usage_and_finish_reason_of_the_model():
    message = AIMessage(
        "Three",
        usage_metadata={
            "input_tokens": 30,
            "output_tokens": 2,
            "total_tokens": 32,
            "input_token_details": {"cache_read": 8},
        },
        response_metadata={"finish_reason": "length"},
    )
    reply, _ = ask(open_model(GenericFakeChatModel(messages=iter([message]))))
    assert (reply.prompt_tokens, reply.output_tokens, reply.cached_tokens) == (30, 2, 8)
    assert reply.exact
    assert reply.finish == "length"


def test_content_in_parts():
    message = AIMessage([{"type": "text", "text": "Three "}, {"type": "text", "text": "months."}])
    reply, _ = ask(open_model(GenericFakeChatModel(messages=iter([message]))))
    assert reply.text == "Three months."


class Failing(FakeListChatModel):
    label: str = "RateLimitError"

    def _call(self, *_, **__):
        raise type(self.label, (Exception,), {})("the key is sk-secret")


@pytest.mark.parametrize(
    ("label", "kind"),
    [("RateLimitError", "rate_limit"), ("AuthenticationError", "unauthorised"), ("ReadTimeout", "timeout"),
     ("ConnectError", "refused"), ("Odd", "server")],
)  # fmt: skip
def test_what_a_provider_raises_is_a_failure(label, kind):
    reply, _ = ask(open_model(Failing(responses=["x"], label=label)))
    assert reply.kind == kind
    assert "sk-secret" not in reply.message


def test_an_empty_answer():
    assert ask(open_model(FakeListChatModel(responses=[" "])))[0].kind == "empty"
    usage = {"input_tokens": 30, "output_tokens": 2, "total_tokens": 32}
    reply, _ = ask(open_model(GenericFakeChatModel(messages=iter([AIMessage("", usage_metadata=usage)]))))
    assert (reply.kind, reply.prompt_tokens, reply.output_tokens) == ("empty", 30, 2)


def test_a_slow_model_ends_at_the_timeout():
    assert ask(open_model(FakeListChatModel(responses=["x"], sleep=2.0), timeout=0.1))[0].kind == "timeout"


def test_sampling_is_given_where_asked():
    given = {}

    class Model(FakeListChatModel):
        def _call(self, messages, stop=None, run_manager=None, **kwargs):
            given.update(kwargs, stop=stop, kinds=[m.type for m in messages], text=messages[1].content)
            return "ok"

    reader = open_model(Model(responses=["x"]), passes=("temperature", "max_tokens"))
    request = Generate((Message("system", "s"), Message("user", "{x}")), sampling=Sampling(max_tokens=5, stop=("\n",)))
    asyncio.run(reader.call(request, lambda text: None))
    assert given == {"temperature": 0.0, "max_tokens": 5, "stop": ["\n"], "kinds": ["system", "human"], "text": "{x}"}


def test_identity_tells_settings_apart():
    one, two = (open_model(FakeListChatModel(responses=[text])) for text in "ab")
    assert one.facts.identity != two.facts.identity
    assert open_model(FakeListChatModel(responses=["a"])).facts.identity == one.facts.identity


def test_other_objects_and_requests():
    with pytest.raises(ConfigError):
        LangChainReader(object())
    reader = open_model(FakeListChatModel(responses=["x"]))
    assert asyncio.run(reader.call(Embed(("x",)), print)).kind == "bad_request"


class Limited(FakeListChatModel):
    """Has a ceiling of its own, and may refuse one that comes with a call."""

    max_tokens: int | None = None
    refuses: bool = False
    given: list = Field(default_factory=list)

    def _call(self, messages, stop=None, run_manager=None, **kwargs):
        self.given.append(kwargs.get("max_tokens"))
        if self.refuses and "max_tokens" in kwargs:
            raise TypeError("chat() got an unexpected keyword argument 'max_tokens'")
        return "ok"


def limited(**options):
    model = Limited(responses=["x"], **options)
    return model.given, open_model(model)


def asked(reader, most):
    request = Generate((Message("user", "How long?"),), sampling=Sampling(max_tokens=most))
    return asyncio.run(reader.call(request, lambda text: None))


def test_the_ceiling_is_given_to_models_that_have_one():
    given, reader = limited()
    assert asked(reader, 5).text == "ok"
    assert given == [5]


def test_the_owners_ceiling_is_kept():
    given, reader = limited(max_tokens=20)
    asked(reader, 5)
    asked(reader, 500)
    assert given == [5, 20]


def test_a_model_that_refuses_the_ceiling_is_asked_without_and_it_is_told():
    given, reader = limited(refuses=True)
    assert [asked(reader, 5).text, asked(reader, 5).text] == ["ok", "ok"]
    assert given == [5, None, None]
    assert "refuses max_tokens" in reader.note
    model = Limited(responses=["x"], refuses=True)
    assert asked(open_model(model, passes=("max_tokens",)), 5).kind == "server"  # it was told to
    assert model.given == [5]
