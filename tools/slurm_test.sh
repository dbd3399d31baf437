#!/usr/bin/env bash
# Evaluate on a SLURM cluster: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [test.py arguments]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (8) and SRUN_ARGS are read from the environment.
set -euo pipefail
. "$(dirname "$0")/launch.sh"
check_call 4 "$@"
launch_srun "$1" "$2" "$(dirname "$0")/test.py" "$3" "$4" "${@:5}"
