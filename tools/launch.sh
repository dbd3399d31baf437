# Sourced by dist_*.sh and slurm_*.sh. Their second line is "# What it does: usage".

# check_call MINIMUM "$@": help on request, and one line for a call with too few arguments.
check_call() {
    local minimum=$1
    shift
    case "${1:-}" in
        -h | --help)
            sed -n '2,3s/^# //p' "$0"
            exit 0
            ;;
    esac
    if [ $# -lt "$minimum" ]; then
        echo "error: usage: $(sed -n '2s/^[^:]*: //p' "$0")" >&2
        exit 2
    fi
}

# launch_torchrun NUM_PROCESSES SCRIPT [arguments]: in several processes on this node's share of nodes.
launch_torchrun() {
    local num_processes=$1
    shift
    case "$num_processes" in
        '' | *[!0-9]*) ;;
        *) num_processes=$((10#$num_processes)) ;; # 08 is no octal number
    esac
    case "$num_processes" in
        '' | 0 | *[!0-9]*) echo "error: NUM_PROCESSES has to be a positive number, got '$num_processes'" >&2; exit 2 ;;
    esac
    local rendezvous=(--standalone)
    # A fixed port only if nodes must find each other, so that two runs on one machine never collide.
    if [ "${NNODES:-1}" -gt 1 ] || [ -n "${PORT:-}" ]; then
        rendezvous=(
            --nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}"
            --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}"
        )
    fi
    # Processes share the cores; torchrun's default of one thread each would waste them.
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(( ($(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN) + num_processes - 1) / num_processes ))}"
    # Options of newer versions of torchrun: it passes SLURM's request to leave on, and its processes
    # may finish an iteration and save (the scheduler's own limit is what counts).
    export PET_SIGNALS_TO_HANDLE="${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}"
    export PET_SHUTDOWN_TIMEOUT="${PET_SHUTDOWN_TIMEOUT:-600}"
    exec "${PYTHON:-python}" -m torch.distributed.run --nproc_per_node "$num_processes" "${rendezvous[@]}" "$@"
}

# launch_srun PARTITION JOB_NAME SCRIPT [arguments]: one task a GPU on a SLURM cluster.
launch_srun() {
    local partition=$1 job_name=$2 gpus=${GPUS:-8} per_node=${GPUS_PER_NODE:-8}
    shift 2
    if [ "$gpus" -lt "$per_node" ]; then per_node=$gpus; fi
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${CPUS_PER_TASK:-8}}" # else each task takes all cores
    # SRUN_ARGS is a list of words on purpose.
    exec srun -p "$partition" --job-name="$job_name" --gres=gpu:"$per_node" --ntasks="$gpus" \
        --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$@" --launcher slurm
}
