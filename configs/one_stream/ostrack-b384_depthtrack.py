# OSTrack-B384 on the RGB of DepthTrack, fully fine-tuned. The paper has no numbers for it.
# bash tools/dist_train.sh configs/one_stream/ostrack-b384_depthtrack.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b384_depthtrack.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b384.py',
    '../_base_/datasets/depthtrack_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
