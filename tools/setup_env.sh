# Sourced by the scripts that set themselves up. Leaves `python` pointing to an environment in which
# srtrack and its test tools are installed: the active one, or .venv in the project's root.
# Nothing is installed again while the requirements stay the same.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

if [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    if [ ! -x "$ROOT/.venv/bin/python" ]; then
        echo "Creating a virtual environment in .venv"
        "${PYTHON:-python3}" -m venv "$ROOT/.venv" || {
            echo "error: could not create a virtual environment; install python3-venv, or activate one" >&2
            exit 1
        }
    fi
    . "$ROOT/.venv/bin/activate"
fi

# Where this checkout is, too: another checkout's editable install must not stand in for this one.
STAMP="$(python -c 'import sys; print(sys.prefix)')/.srtrack_installed"
WANTED="$ROOT $(cat "$ROOT/setup.py" "$ROOT"/requirements/*.txt | cksum)"
if [ "$(cat "$STAMP" 2>/dev/null)" != "$WANTED" ]; then
    echo "Installing srtrack and its requirements"
    python -m pip install --disable-pip-version-check -e "$ROOT[test]" || {
        echo "error: installation failed; see pip's output above" >&2
        exit 1
    }
    echo "$WANTED" > "$STAMP"
fi
