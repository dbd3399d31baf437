default_scope = 'srtrack'
custom_imports = dict(imports=['srtrack.registry'], allow_failed_imports=False)

# Everything random follows from this seed: pairs, augmentation, initial weights, drop path.
randomness = dict(seed=0)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
# With its scope, because MMEngine looks this name up at its root.
model_wrapper_cfg = dict(type='srtrack.TrackerDistributedDataParallel', broadcast_buffers=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # 'atomic' is the local disk with writes that appear whole or not at all; None for other storage.
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        backend_args=dict(backend='atomic'),
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    loader_workers=dict(type='LoaderWorkersHook'),
    invalid_loss=dict(type='InvalidLossHook'),
    portable_checkpoint=dict(type='PortableCheckpointHook'),
    pending_gradients=dict(type='PendingGradientsHook'),
    resume=dict(type='ResumeHook'),
    preemption=dict(type='PreemptionHook'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='mmengine.Visualizer', vis_backends=vis_backends)
log_processor = dict(by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
