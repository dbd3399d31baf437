# OSTrack-B256 on the RGB of LasHeR, fully fine-tuned.
# Table II: SR 47.2, PR 58.5; on RGBT234 MSR 54.9, MPR 72.9.
# bash tools/dist_train.sh configs/one_stream/ostrack-b256_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b256_lasher.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_source = dict(
    type='LasHeR',
    data_root='{{$SRTRACK_DATA:data}}/LasHeR',
    split='train',
    modalities=('rgb',),
)
train_dataloader = dict(dataset=dict(sources=[train_source]))
val_dataloader = dict(dataset=dict(source=dict(modalities=('rgb',))))
test_dataloader = val_dataloader
