# UnTrack as published: one model on DepthTrack, LasHeR and VisEvent together. Each pair names the
# kind of its auxiliary image (aux_kind of the data set), in training and in tests.
# Table VIII: VisEvent SR 58.9, PR 75.6; DepthTrack Pr 61.1, Re 60.8, F 61.0; LasHeR SR 51.3, PR 63.7.
# bash tools/dist_train.sh configs/ablations/table8_untrack_joint.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Tested on LasHeR; on DepthTrack and VisEvent with
#     SRTRACK_DATASET=depthtrack python tools/test.py configs/ablations/table8_untrack.py CHECKPOINT
_base_ = [
    '../_base_/models/untrack.py',
    '../_base_/datasets/joint-rgbt-rgbd-rgbe.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
# Its authors' deep_rgbx.yaml: 80 epochs of 60,000 pairs, 48 at once.
train_dataloader = dict(batch_size=6, dataset=dict(_base_.train_pairs, pairs_per_epoch=60000))
auto_scale_lr = dict(base_batch_size=48)
train_cfg = dict(max_epochs=80)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[48], gamma=0.1)]
# Candidate elimination starts as in their training:
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
