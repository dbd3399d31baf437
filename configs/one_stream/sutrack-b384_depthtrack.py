# SUTrack-B384 on RGB and auxiliary image of DepthTrack, as published.
# Table II: Pr 58.8, Re 58.6, F 58.7; on VOT-RGBD2022 Acc 83.0, Rob 90.6, EAO 75.4.
# bash tools/dist_train.sh configs/one_stream/sutrack-b384_depthtrack.py 8 \
#     --cfg-options load_from=sutrack:SUTRACK_ep0180.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/sutrack-b384_depthtrack.py \
#     sutrack:SUTRACK_ep0180.pth.tar --out results
_base_ = [
    '../_base_/models/sutrack-b384.py',
    '../_base_/datasets/depthtrack.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
