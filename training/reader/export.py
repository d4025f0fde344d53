"""From trained weights to one int8 ONNX file.

Weights are int8, one scale a column; activations are quantised as they come (dynamic quantisation, so no calibration
data); the heads, which are a thousandth of the work and all of the answer, stay in full precision.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from training.reader.lighter import lighten
from training.reader.model import Reader

INPUTS = ("ids", "types", "mask")
OUTPUTS = ("relevance", "keep", "start", "end", "embedding")
OPSET = 17


def full(reader: Reader, file: Path) -> None:
    """Write the model as it is, in float32."""
    example = torch.ones((2, 8), dtype=torch.int64)
    pairs, tokens = {0: "pairs"}, {0: "pairs", 1: "tokens"}
    axes = dict.fromkeys((*INPUTS, *OUTPUTS[1:4]), tokens) | {"relevance": pairs, "embedding": pairs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            reader.eval().float(), (example, example, example), str(file), opset_version=OPSET, dynamo=False,
            input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_axes=axes,
        )  # fmt: skip


def int8(source: Path, file: Path, *, fused: bool = True) -> None:
    """Quantise a full model's file.

    Args:
        source: the full model's ONNX file.
        file: where the quantised one goes.
        fused: join each layer's attention, normalisation and activation into one operator first, then put faster
            ones in their place. Such a model takes one sequence at a time: it masks nothing.
    """
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        joined = Path(folder) / "joined.onnx"
        _join(source, joined) if fused else joined.write_bytes(source.read_bytes())
        heads = [name for name in _nodes(joined) if "encoder" not in name and "MatMul" in name]
        quantize_dynamic(
            joined,
            file,
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=heads,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # joined operators tell no shapes
        )
    if fused:
        lighten(file, _width(source))


def _join(source: Path, file: Path) -> None:
    from onnxruntime.transformers import optimizer

    width = _width(source)
    heads = width // 32
    made = optimizer.optimize_model(str(source), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0)
    made.save_model_to_file(str(file))


def _width(source: Path) -> int:
    import onnx

    weights = onnx.load(source).graph.initializer
    return int(next(one for one in weights if one.name.endswith("word_embeddings.weight")).dims[1])


def _nodes(file: Path) -> list[str]:
    import onnx

    return [node.name for node in onnx.load(file).graph.node]
