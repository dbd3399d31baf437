#!/usr/bin/env bash
# Evaluate in several processes: bash tools/dist_test.sh CONFIG CHECKPOINT NUM_PROCESSES [test.py arguments]
# One GPU a process, or gloo on the CPU. Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail
. "$(dirname "$0")/launch.sh"
check_call 3 "$@"
launch_torchrun "$3" "$(dirname "$0")/test.py" "$1" "$2" --launcher pytorch "${@:4}"
