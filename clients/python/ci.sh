#!/usr/bin/env bash
# Checks the Python package against a node that is built here: types, then tests.
# Installs what it needs into a virtual environment that is kept between runs.
set -euo pipefail
cd "$(dirname "$0")"
say() { printf '\n-- python: %s (%ss)\n' "$*" "$SECONDS"; }

# PyPI's PyTorch for Linux needs its CUDA libraries even where they are not used; a wheel
# for machines without GPUs, where pip finds one lying ready, is a tenth of that.
torch=2.15.0
install() { "$venv/bin/pip" --disable-pip-version-check --quiet install "$@"; }
environment() {
  python3 -m venv "$venv" || return
  if install --no-index --no-deps torch 2>/dev/null; then install torch || return; else install "torch==$torch" || return; fi
  install -r requirements-ci.txt && touch "$venv/ready"
}

kept=$(cat requirements-ci.txt ci.sh pyproject.toml <(python3 --version) | sha256sum | cut -c1-16)
tmp="${TMPDIR:-/tmp}"
venv="$tmp/genesis-python-$kept"
find "$tmp" -maxdepth 1 -name 'genesis-python-*' -mtime +2 ! -name "genesis-python-$kept*" -exec rm -rf {} + 2>/dev/null || true
(
  if command -v flock >/dev/null; then flock 9; fi # two runs at once make it once
  if [ ! -e "$venv/ready" ]; then
    say "an environment in $venv"
    rm -rf "$venv"
    environment
  fi
  install --no-deps --no-build-isolation -e .
) 9>"$venv.lock" || {
  if [ "${CI:-}" = true ]; then exit 1; fi
  echo "not checked: the Python package's environment cannot be made here"
  exit 0
}

export GENESIS_BIN="${GENESIS_BIN:-$venv/genesis}"
if [ "$GENESIS_BIN" = "$venv/genesis" ]; then
  say "the node"
  (cd ../.. && CGO_ENABLED=0 go build -o "$GENESIS_BIN" ./cmd/genesis)
fi

say "mypy --strict"
timeout 300 "$venv/bin/mypy" --strict

say "tests"
timeout --kill-after=10 "${GENESIS_PYTHON_TIMEOUT:-900}" "$venv/bin/python" -m pytest -q -o faulthandler_timeout=180 "$@"
say "done"
