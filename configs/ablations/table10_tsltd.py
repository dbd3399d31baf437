# Table X, tsltd. FE108 SR 66.5, PR 95.2; VisEvent SR 61.0, PR 77.4; COESOT SR 67.9, PR 81.3.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108-raw}}.py'
representation = 'tsltd'
_base_.train_dataloader.dataset.sources[0].aux_stream.representation = representation
val_dataloader = dict(dataset=dict(source=dict(aux_stream=dict(representation=representation))))
test_dataloader = val_dataloader
