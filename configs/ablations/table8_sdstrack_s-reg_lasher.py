# SDSTrack + FFT + S-Reg: the whole backbone is fine-tuned, by sensitivity.
# Table VIII: SR 52.5, PR 65.8 on LasHeR.
# bash tools/dist_train.sh configs/ablations/table8_sdstrack_s-reg_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
_base_ = [
    '../_base_/models/sdstrack_ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
model = dict(frozen=['head', r'backbone\.pos_embed'])
