# Table IX, RGB: full fine-tuning.
# COESOT SR 64.3, PR 76.3; DepthTrack Pr 53.9, Re 53.0, F 53.4; LasHeR SR 47.2, PR 58.6.
_base_ = './table9_rgb_s-reg.py'
optim_wrapper = dict(use_prior=False, use_transfer=False)
