#!/usr/bin/env bash
# Train in several processes: bash tools/dist_train.sh CONFIG NUM_PROCESSES [train.py arguments]
# One GPU a process, or gloo on the CPU. Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail
if [ "${1:-}" = "--help" ] || [ "${1:-}" = "-h" ]; then
    sed -n '2,3s/^# //p' "$0"
    exit 0
fi
if [ $# -lt 2 ]; then
    echo "error: usage: bash tools/dist_train.sh CONFIG NUM_PROCESSES [train.py arguments]" >&2
    exit 2
fi
CONFIG=$1
NUM_PROCESSES=$2
TOOLS="$(dirname "$0")"
. "$TOOLS/launch.sh"
launch "$NUM_PROCESSES" "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"
