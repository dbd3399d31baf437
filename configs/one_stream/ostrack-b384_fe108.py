# OSTrack-B384 on the RGB of FE108, fully fine-tuned. The paper has no numbers for it.
# bash tools/dist_train.sh configs/one_stream/ostrack-b384_fe108.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b384_fe108.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b384.py',
    '../_base_/datasets/fe108.py',
    '../_base_/datasets/pairs_192-384.py',
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
