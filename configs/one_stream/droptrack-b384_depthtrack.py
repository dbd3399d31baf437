# DropTrack-B384 on the RGB of DepthTrack, fully fine-tuned.
# Table II: Pr 56.4, Re 55.8, F 56.1; on VOT-RGBD2022 Acc 81.5, Rob 85.1, EAO 69.2.
# bash tools/dist_train.sh configs/one_stream/droptrack-b384_depthtrack.py 8 \
#     --cfg-options load_from=droptrack:DropTrack_k700_800E_alldata.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/droptrack-b384_depthtrack.py \
#     droptrack:DropTrack_k700_800E_alldata.pth.tar --out results
_base_ = [
    '../_base_/models/droptrack-b384.py',
    '../_base_/datasets/depthtrack_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
