# SRTrack over DropTrack-B384 on DepthTrack.
# Table II: Pr 67.2, Re 67.1, F 67.1; on VOT-RGBD2022 Acc 82.9, Rob 89.2, EAO 74.5.
# bash tools/dist_train.sh configs/srtrack/srtrack_droptrack-b384_depthtrack.py 8 \
#     --cfg-options load_from=droptrack:DropTrack_k700_800E_alldata.pth.tar
# bash tools/dist_test.sh configs/srtrack/srtrack_droptrack-b384_depthtrack.py CHECKPOINT 8 --out results
# Prior sensitivity is measured on GOT-10k; custom_hooks.0.cache=FILE.json keeps it for the next run.
_base_ = [
    '../_base_/models/srtrack_droptrack-b384.py',
    '../_base_/datasets/depthtrack.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
