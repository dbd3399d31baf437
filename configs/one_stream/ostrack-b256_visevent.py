# OSTrack-B256 on the RGB of VisEvent, fully fine-tuned. Table I: SR 53.4, PR 69.6.
# bash tools/dist_train.sh configs/one_stream/ostrack-b256_visevent.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b256_visevent.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b256.py',
    '../_base_/datasets/visevent.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_source = dict(
    type='VisEvent',
    data_root='{{$SRTRACK_DATA:data}}/VisEvent',
    split='train',
    modalities=('rgb',),
)
train_dataloader = dict(dataset=dict(sources=[train_source]))
val_dataloader = dict(dataset=dict(source=dict(modalities=('rgb',))))
test_dataloader = val_dataloader
