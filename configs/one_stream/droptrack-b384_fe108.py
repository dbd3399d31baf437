# DropTrack-B384 on the RGB of FE108, fully fine-tuned. Table I: SR 52.0, PR 75.9.
# bash tools/dist_train.sh configs/one_stream/droptrack-b384_fe108.py 8 \
#     --cfg-options load_from=droptrack:DropTrack_k700_800E_alldata.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/droptrack-b384_fe108.py \
#     droptrack:DropTrack_k700_800E_alldata.pth.tar --out results
_base_ = [
    '../_base_/models/droptrack-b384.py',
    '../_base_/datasets/fe108.py',
    '../_base_/datasets/pairs_192-384_droptrack.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_source = dict(
    type='FE108',
    data_root='{{$SRTRACK_DATA:data}}/FE108',
    split='train',
    modalities=('rgb',),
)
train_dataloader = dict(dataset=dict(sources=[train_source], pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(source=dict(modalities=('rgb',))))
test_dataloader = val_dataloader
