# Table XI, ours: LasHeR SR 56.3, PR 70.1.
_base_ = './table4_e_prior-and-transfer.py'
optim_wrapper = dict(optimizer=dict(lr=1e-4))
