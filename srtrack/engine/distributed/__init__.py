"""Train in several processes: data parallelism, sharded models, and the runner that starts them."""

from .data_parallel import (
    TrackerDistributedDataParallel,
    init_cpu_process_group,
    init_process_group,
    mean_over_processes,
    unwrapped,
)
from .fully_sharded import FullyShardedModel, can_shard, is_sharded, shard_like
from .runner import StrategyRunner
from .strategies import FullyShardStrategy, TrackerDDPStrategy

__all__ = [
    'FullyShardStrategy',
    'FullyShardedModel',
    'StrategyRunner',
    'TrackerDDPStrategy',
    'TrackerDistributedDataParallel',
    'can_shard',
    'init_cpu_process_group',
    'init_process_group',
    'is_sharded',
    'mean_over_processes',
    'shard_like',
    'unwrapped',
]
