# DropTrack-B384 on the RGB of FE108, fully fine-tuned. Table I: SR 52.0, PR 75.9.
# bash tools/dist_train.sh configs/one_stream/droptrack-b384_fe108.py 8 \
#     --cfg-options load_from=droptrack:DropTrack_k700_800E_alldata.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/droptrack-b384_fe108.py \
#     droptrack:DropTrack_k700_800E_alldata.pth.tar --out results
_base_ = [
    '../_base_/models/droptrack-b384.py',
    '../_base_/datasets/fe108_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
