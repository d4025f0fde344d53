"""The files a trained model becomes: the faster operators say what the model says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra local")
onnx = pytest.importorskip("onnx", reason="needs the extra training")


def test_the_shipped_form_says_what_the_model_says_at_any_length(encoder: Path, tmp_path: Path) -> None:
    import onnxruntime

    from training.reader import export
    from training.reader.model import Reader

    torch.manual_seed(0)
    reader = Reader.over(encoder).eval()
    export.full(reader, tmp_path / "full.onnx")
    export.int8(tmp_path / "full.onnx", tmp_path / "small.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "small.onnx").graph.node}
    assert "InstanceNormalization" in kinds
    assert not kinds & {"SkipLayerNormalization", "QAttention"}
    session = onnxruntime.InferenceSession(str(tmp_path / "small.onnx"), providers=["CPUExecutionProvider"])
    for length in (1, 3, 17, 100):
        ids = np.random.default_rng(length).integers(0, 20, (1, length))
        given = {"ids": ids, "types": (ids > 9).astype(np.int64), "mask": np.ones_like(ids)}
        with torch.inference_mode():
            wanted = reader(*map(torch.from_numpy, given.values()))
        said = session.run(export.OUTPUTS, given)
        for name, ours, theirs in zip(export.OUTPUTS, said, wanted, strict=True):
            assert ours == pytest.approx(theirs.float().numpy(), abs=0.1), name
