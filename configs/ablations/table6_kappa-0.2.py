# Table VI, kappa = 0.2: FE108 SR 66.7, PR 94.8.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108}}.py'
optim_wrapper = dict(kappa=0.2)
