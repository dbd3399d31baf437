# OSTrack-B256 on the RGB of DepthTrack, fully fine-tuned.
# Table II: Pr 53.6, Re 52.2, F 52.9; on VOT-RGBD2022 Acc 80.3, Rob 83.3, EAO 67.6.
# bash tools/dist_train.sh configs/one_stream/ostrack-b256_depthtrack.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# Without fine-tuning: python tools/test.py configs/one_stream/ostrack-b256_depthtrack.py \
#     ostrack:OSTrack_ep0300.pth.tar --out results
_base_ = [
    '../_base_/models/ostrack-b256.py',
    '../_base_/datasets/depthtrack_rgb.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
