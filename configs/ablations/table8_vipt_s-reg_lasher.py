# ViPT + FFT + S-Reg: the whole backbone is fine-tuned, by sensitivity.
# Table VIII: SR 54.9, PR 68.4 on LasHeR.
# bash tools/dist_train.sh configs/ablations/table8_vipt_s-reg_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
_base_ = [
    '../_base_/models/vipt_ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
model = dict(frozen=['head', r'backbone\.pos_embed'])
