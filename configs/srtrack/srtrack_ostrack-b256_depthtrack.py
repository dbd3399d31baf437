# SRTrack over OSTrack-B256 on DepthTrack. Table II: Pr 64.7, Re 65.4, F 65.1; on VOT-RGBD2022 EAO 74.1
# (accuracy 82.1, robustness 88.8).
# bash tools/dist_train.sh configs/srtrack/srtrack_ostrack-b256_depthtrack.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# bash tools/dist_test.sh configs/srtrack/srtrack_ostrack-b256_depthtrack.py CHECKPOINT 8 --out results
# Prior sensitivity is measured on GOT-10k; custom_hooks.0.cache=FILE.json keeps it for the next run.
_base_ = [
    '../_base_/models/srtrack_ostrack-b256.py',
    '../_base_/datasets/depthtrack.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
