# Table XI, full fine-tuning at 1e-4: LasHeR SR 53.2, PR 65.8.
_base_ = './table4_b_full-fine-tuning.py'
optim_wrapper = dict(optimizer=dict(lr=1e-4))
