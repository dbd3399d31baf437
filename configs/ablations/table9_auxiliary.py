# Table IX, Auxiliary: full fine-tuning.
# COESOT SR 57.5, PR 69.8; DepthTrack Pr 49.0, Re 47.3, F 48.1; LasHeR SR 42.7, PR 53.7.
_base_ = './table9_auxiliary_s-reg.py'
optim_wrapper = dict(use_prior=False, use_transfer=False)
