# DropTrack-B384 on the RGB of COESOT, fully fine-tuned. Table I: SR 66.1, PR 79.1.
# bash tools/dist_train.sh configs/one_stream/droptrack-b384_coesot.py 8 \
#     --cfg-options load_from=droptrack:DropTrack_k700_800E_alldata.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/droptrack-b384_coesot.py \
#     droptrack:DropTrack_k700_800E_alldata.pth.tar --out results
_base_ = [
    '../_base_/models/droptrack-b384.py',
    '../_base_/datasets/coesot_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
