"""Models as files, and their way into the catalogue."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from conftest import Served

import genesis
from genesis.model import _metrics
from genesis.parts import parts_of, safetensors

torch = pytest.importorskip("torch")


def read_safetensors(data: bytes) -> dict[str, "torch.Tensor"]:
    """A reader of its own, by the format's description."""
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + n])
    header.pop("__metadata__", None)
    dtypes = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BF16": torch.bfloat16, "BOOL": torch.bool}
    end = 0
    out = {}
    for name, said in header.items():
        a, b = said["data_offsets"]
        assert a == end
        end = b
        raw = bytearray(data[8 + n + a : 8 + n + b])
        flat = torch.frombuffer(raw, dtype=dtypes[said["dtype"]]) if raw else torch.empty(0, dtype=dtypes[said["dtype"]])
        out[name] = flat.reshape(said["shape"])
    assert 8 + n + end == len(data) and (8 + n) % 8 == 0
    return out


def test_safetensors() -> None:
    state = {
        "layer.weight": torch.randn(3, 5),
        "transposed": torch.randn(4, 6).T,
        "scalar": torch.tensor(3.5, dtype=torch.float64),
        "steps": torch.arange(7),
        "half": torch.randn(3).to(torch.bfloat16),
        "mask": torch.tensor([True, False]),
        "none": torch.empty(0, 4),
        "ünïcode": torch.ones(1, requires_grad=True),
    }
    got = read_safetensors(safetensors(state))
    assert list(got) == list(state)
    for name, tensor in state.items():
        assert got[name].dtype == tensor.dtype and torch.equal(got[name], tensor.detach())
    with pytest.raises(TypeError, match="extra"):
        safetensors({"extra": {"a": 1}})
    with pytest.raises(TypeError):
        safetensors({"complex": torch.zeros(1, dtype=torch.complex64)})


def test_safetensors_are_read_by_others() -> None:
    official = pytest.importorskip("safetensors.torch")
    state = {"a": torch.randn(3, 5), "b": torch.arange(7)}
    got = official.load(safetensors(state))
    assert all(torch.equal(got[k], v) for k, v in state.items())


def test_what_becomes_what(tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 1)
    framework, version, parts = parts_of(net)
    assert framework == "pytorch" and version and sorted(parts) == ["architecture.txt", "model.safetensors"]
    assert sorted(parts_of(net.state_dict())[2]) == ["model.safetensors"]
    linear = pytest.importorskip("sklearn.linear_model").LinearRegression()
    framework, version, parts = parts_of(linear)
    assert framework == "sklearn" and version and list(parts)[0] in ("model.skops", "model.pkl")
    (tmp_path / "m.onnx").write_bytes(b"x")
    assert parts_of(tmp_path / "m.onnx") == ("onnx", "", {"m.onnx": tmp_path / "m.onnx"})
    assert parts_of({"a.bin": b"x", "b.onnx": b"y"})[0] == "onnx"
    with pytest.raises(TypeError, match="int"):
        parts_of(3)


def test_metrics() -> None:
    assert _metrics({"test/rmse": 1, "loss": 0.5}) == [{"name": "rmse", "value": 1.0, "split": "test"}, {"name": "loss", "value": 0.5}]
    with pytest.raises(ValueError, match="finite"):
        _metrics({"loss": float("nan")})


@pytest.mark.parametrize("where", ["socket", "http"])
def test_log_model(node: Served, where: str) -> None:
    connected = genesis.connect(home=node.home) if where == "socket" else genesis.connect(node.url, node.token)
    with connected:
        loader = connected.dataset("concrete").loader("train", ready=True, batch_size=100, seed=3)
        net = torch.nn.Linear(8, 1)
        for epoch in range(3):
            loader.set_epoch(epoch)
            for x, y in loader:
                net(x).sub(y).square().mean().backward()
        model = genesis.log_model(
            net,
            f"py-logged-{where}",
            inputs=[loader, "tumours"],
            metrics={"test/rmse": 12.5},
            targets=["compressive_strength"],
            description="A line.",
            parameters={"rate": 0.1},
            node=connected,
            progress=False,
        )
        assert model.version.kind == "model" and model.parts == ["architecture.txt", "model.safetensors"]
        weights = read_safetensors(model.part("model.safetensors"))
        assert torch.equal(weights["weight"], net.weight.detach())
        logged = model.report["logged"]
        plan = loader.plan
        first, second = logged["inputs"]
        assert first["ref"].endswith(plan.ref) and first["key"] == plan.key and first["epochs"] == "0-2"
        assert first["split"] == "random/train" and "tumours@sha256:" in second["ref"]
        assert logged["metrics"][0] == {"name": "rmse", "value": 12.5, "split": "test"}
        again = genesis.log_model(net, f"py-logged-{where}", node=connected)
        assert again.version.digest == model.version.digest, "the same files are the same version"
        with pytest.raises(genesis.NotFound):
            genesis.log_model(net, "py-never", inputs=["no-such"], node=connected)
        html = model._repr_html_()
        assert "py-logged" in html
