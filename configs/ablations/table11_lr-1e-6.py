# Table XI, full fine-tuning at 1e-6: LasHeR SR 52.5, PR 65.4.
_base_ = './table4_b_full-fine-tuning.py'
optim_wrapper = dict(optimizer=dict(lr=1e-6))
