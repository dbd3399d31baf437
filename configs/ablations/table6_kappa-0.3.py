# Table VI, kappa = 0.3: FE108 SR 66.9, PR 95.1.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108}}.py'
optim_wrapper = dict(kappa=0.3)
