# Table XI, full fine-tuning at 1e-5: LasHeR SR 52.9, PR 66.2.
_base_ = './table4_b_full-fine-tuning.py'
optim_wrapper = dict(optimizer=dict(lr=1e-5))
