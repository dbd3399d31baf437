# Table VI, kappa = 0.8: FE108 SR 66.8, PR 95.8.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108}}.py'
optim_wrapper = dict(kappa=0.8)
