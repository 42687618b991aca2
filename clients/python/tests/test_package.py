"""The package as others get it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]


def test_mypy_strict() -> None:
    pytest.importorskip("mypy")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict"], cwd=PACKAGE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_mypy_sees_the_types(tmp_path: Path) -> None:
    """A user's mistakes are found: the package is marked as typed."""
    pytest.importorskip("mypy")
    (tmp_path / "use.py").write_text(
        "import genesis\nnode = genesis.connect()\nrows: int = node.dataset('x').schema.rows\nnode.dataset(3)\n"
    )
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "use.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "use.py:4" in done.stdout and "Found 1 error" in done.stdout, done.stdout


def test_installs_into_a_clean_environment(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("tests", ".*", "__pycache__", "dist"))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([tmp_path / "venv/bin/pip", "install", "--quiet", source], check=True, env=env, timeout=300)
    code = (
        "import sys, genesis, importlib.metadata as m\n"
        "print(m.version('genesis-science'), sorted({'torch', 'pandas', 'numpy', 'polars', 'IPython'} & set(sys.modules)))\n"
        "import genesis.arrays\n"
        "assert (__import__('pathlib').Path(genesis.__file__).parent / 'py.typed').exists()\n"
    )
    said = subprocess.run([tmp_path / "venv/bin/python", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert said.stdout.split()[0] == "0.1.0"
    assert "torch" not in said.stdout and "pandas" not in said.stdout and "IPython" not in said.stdout


def test_runs_on_the_oldest_python_it_names() -> None:
    for path in (PACKAGE / "src").rglob("*.py"):
        ast.parse(path.read_text("utf-8"), str(path), feature_version=(3, 10))


def test_modules_are_small_and_explain_themselves() -> None:
    for path in sorted((PACKAGE / "src").rglob("*.py")):
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        assert ast.get_docstring(tree), f"{path.name} does not say what it is"
        assert text.count("\n") <= 450, f"{path.name} is long"
        names = next((ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"), [])
        for item in tree.body:
            if isinstance(item, (ast.FunctionDef, ast.ClassDef)) and item.name in names:
                assert ast.get_docstring(item), f"{path.name}: {item.name} has no docstring"
