# SDSTrack + FFT: the whole backbone is fine-tuned, by the paper's recipe.
# Table VIII: SR 50.7, PR 63.8 on LasHeR.
# bash tools/dist_train.sh configs/ablations/table8_sdstrack_fft_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
_base_ = [
    '../_base_/models/sdstrack_ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
model = dict(frozen=['head', r'backbone\.pos_embed'])
