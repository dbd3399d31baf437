#!/usr/bin/env bash
# Train in several processes: bash tools/dist_train.sh CONFIG NUM_PROCESSES [train.py arguments]
# One GPU a process, or gloo on the CPU. Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail
. "$(dirname "$0")/launch.sh"
check_call 2 "$@"
launch_torchrun "$2" "$(dirname "$0")/train.py" "$1" --launcher pytorch "${@:3}"
