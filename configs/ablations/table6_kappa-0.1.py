# Table VI, kappa = 0.1: FE108 SR 66.5, PR 94.7.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108}}.py'
optim_wrapper = dict(kappa=0.1)
