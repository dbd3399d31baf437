#!/usr/bin/env bash
# Evaluate in several processes: bash tools/dist_test.sh CONFIG CHECKPOINT NUM_PROCESSES [test.py arguments]
# One GPU a process, or gloo on the CPU. Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail
if [ "${1:-}" = "--help" ] || [ "${1:-}" = "-h" ]; then
    sed -n '2,3s/^# //p' "$0"
    exit 0
fi
if [ $# -lt 3 ]; then
    echo "error: usage: bash tools/dist_test.sh CONFIG CHECKPOINT NUM_PROCESSES [test.py arguments]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
NUM_PROCESSES=$3
TOOLS="$(dirname "$0")"
. "$TOOLS/launch.sh"
launch "$NUM_PROCESSES" "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
