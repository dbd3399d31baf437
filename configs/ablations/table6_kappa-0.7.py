# Table VI, kappa = 0.7: FE108 SR 67.1, PR 96.2.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108}}.py'
optim_wrapper = dict(kappa=0.7)
