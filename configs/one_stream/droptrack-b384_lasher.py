# DropTrack-B384 on the RGB of LasHeR, fully fine-tuned.
# Table II: SR 47.7, PR 59.4; on RGBT234 MSR 57.2, MPR 75.8.
# bash tools/dist_train.sh configs/one_stream/droptrack-b384_lasher.py 8 \
#     --cfg-options load_from=droptrack:DropTrack_k700_800E_alldata.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/droptrack-b384_lasher.py \
#     droptrack:DropTrack_k700_800E_alldata.pth.tar --out results
_base_ = [
    '../_base_/models/droptrack-b384.py',
    '../_base_/datasets/lasher_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
