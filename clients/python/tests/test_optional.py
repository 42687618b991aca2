"""What is said where an extra of this package is not installed, and how actions are written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from genesis.dataset import Dataset
from genesis.model import Predictions


class Asked:
    """A node that keeps what it is asked."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    def post(self, path: str, body: Any) -> dict[str, Any]:
        self.bodies.append((path, body))
        return {}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the node was asked before the package was looked for: {name}")


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("torch", lambda d: d.loader(ready=True)),
        ("torch", lambda d: d.torch()),
        ("numpy", lambda d: d.numpy()),
        ("jax", lambda d: d.jax(ready=True)),
        ("pandas", lambda d: d.to_pandas()),
        ("polars", lambda d: d.to_polars()),
    ],
)
def test_an_extra_that_is_missing_is_named(package: str, use: Callable[[Dataset], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install {package} .*clients/python\[{package}\]"):
        use(Dataset(Asked(), "turbines"))  # type: ignore[arg-type]


def test_predictions_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Predictions.__new__(Predictions)
    for package, use in (("pandas", made.to_pandas), ("polars", made.to_polars)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ModuleNotFoundError, match=f"pip install {package} "):
            use()


@pytest.mark.parametrize("actions", ["train,infer", "train, infer", ["train", "infer"], ("train", "infer")])
def test_actions_as_the_command_line_writes_them(actions: Any) -> None:
    node = Asked()
    Dataset(node, "turbines").request(actions, purpose="wakes")  # type: ignore[arg-type]
    assert node.bodies == [("/v1/requests", {"ref": "turbines", "purpose": "wakes", "actions": ["train", "infer"]})]
