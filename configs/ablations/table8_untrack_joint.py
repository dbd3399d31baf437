# UnTrack as its authors train it: one model on DepthTrack, LasHeR and VisEvent together. Each pair
# brings what its auxiliary picture shows (aux_kind of the data set), in training and in tests.
# Table VIII: SR 51.3, PR 63.7 on LasHeR.
# bash tools/dist_train.sh configs/ablations/table8_untrack_joint.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Tested on LasHeR; on DepthTrack with --cfg-options test_evaluator.protocol=depthtrack
#     test_dataloader.dataset.source.type=DepthTrack
#     test_dataloader.dataset.source.data_root=data/DepthTrack
_base_ = [
    '../_base_/models/untrack_ostrack-b256.py',
    '../_base_/datasets/joint-rgbt-rgbd-rgbe.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset=dict(pairs_per_epoch=60000))
train_cfg = dict(max_epochs=80)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[48], gamma=0.1)]
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
