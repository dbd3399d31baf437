#!/usr/bin/env bash
# The embedded default, end to end: bash tools/quickstart.sh [--work-dir DIR] [--quick]
set -euo pipefail
. "$(dirname "$0")/setup_env.sh"
exec python "$ROOT/tools/quickstart.py" "$@"
