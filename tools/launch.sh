# Sourced by dist_train.sh and dist_test.sh: `launch NUM_PROCESSES SCRIPT [arguments]` runs a script in
# several processes with torchrun, on this node's share of NNODES nodes.

launch() {
    local num_processes=$1
    shift
    local rendezvous=(--standalone)
    # A fixed port only where nodes must find each other: two runs on one machine then never collide.
    if [ "${NNODES:-1}" -gt 1 ] || [ -n "${PORT:-}" ]; then
        rendezvous=(
            --nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}"
            --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}"
        )
    fi
    # Processes share the cores; torchrun's default of one thread each would waste them.
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(( ($(nproc) + num_processes - 1) / num_processes ))}"
    exec "${PYTHON:-python}" -m torch.distributed.run --nproc_per_node "$num_processes" "${rendezvous[@]}" "$@"
}
