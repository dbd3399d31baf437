# OSTrack-B256 on the RGB of COESOT, fully fine-tuned. Table I: SR 64.5, PR 77.0.
# bash tools/dist_train.sh configs/one_stream/ostrack-b256_coesot.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b256_coesot.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b256.py',
    '../_base_/datasets/coesot_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
