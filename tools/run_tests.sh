#!/usr/bin/env bash
# The tests: bash tools/run_tests.sh [pytest arguments]
set -euo pipefail
. "$(dirname "$0")/setup_env.sh"
case "${1:-}" in
    -h|--help)
        echo "usage: bash tools/run_tests.sh [pytest arguments]"
        exit 0
        ;;
esac
cd "$ROOT"
exec python -m pytest "$@"
