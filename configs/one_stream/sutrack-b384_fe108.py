# SUTrack-B384 on RGB and auxiliary image of FE108, as published.
# The paper has no numbers for it.
# bash tools/dist_train.sh configs/one_stream/sutrack-b384_fe108.py 8 \
#     --cfg-options load_from=sutrack:SUTRACK_ep0180.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/sutrack-b384_fe108.py \
#     sutrack:SUTRACK_ep0180.pth.tar --out results
_base_ = [
    '../_base_/models/sutrack-b384.py',
    '../_base_/datasets/fe108.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
