#!/usr/bin/env bash
# The embedded default, end to end: bash tools/quickstart.sh [--work-dir DIR] [--quick]
set -euo pipefail
# Before minutes of installing, not after.
for argument in "$@"; do
    case "$argument" in
        -h | --help | --quick | --work-dir | --work-dir=*) ;;
        -*) echo "error: $argument is neither --work-dir DIR nor --quick" >&2; exit 2 ;;
    esac
done
. "$(dirname "$0")/setup_env.sh"
exec python "$ROOT/tools/quickstart.py" "$@"
