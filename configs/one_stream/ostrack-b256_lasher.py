# OSTrack-B256 on the RGB of LasHeR, fully fine-tuned.
# Table II: SR 47.2, PR 58.5; on RGBT234 MSR 54.9, MPR 72.9.
# bash tools/dist_train.sh configs/one_stream/ostrack-b256_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b256_lasher.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b256.py',
    '../_base_/datasets/lasher_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
