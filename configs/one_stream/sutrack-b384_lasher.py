# SUTrack-B384 on RGB and auxiliary image of LasHeR, as published.
# Table II: SR 60.8, PR 75.6; on RGBT234 MSR 69.2, MPR 92.1.
# bash tools/dist_train.sh configs/one_stream/sutrack-b384_lasher.py 8 \
#     --cfg-options load_from=sutrack:SUTRACK_ep0180.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/sutrack-b384_lasher.py \
#     sutrack:SUTRACK_ep0180.pth.tar --out results
_base_ = [
    '../_base_/models/sutrack-b384.py',
    '../_base_/datasets/lasher.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
