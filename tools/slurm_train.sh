#!/usr/bin/env bash
# Train on a SLURM cluster: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [train.py arguments]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (8) and SRUN_ARGS are read from the environment.
set -euo pipefail
. "$(dirname "$0")/launch.sh"
check_call 4 "$@"
launch_srun "$1" "$2" "$(dirname "$0")/train.py" "$3" --work-dir "$4" "${@:5}"
