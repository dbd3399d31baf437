# Table X, time surface. FE108 SR 66.1, PR 94.9; VisEvent SR 60.3, PR 77.1; COESOT SR 67.4, PR 80.6.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108-raw}}.py'
representation = 'time_surface'
_base_.train_dataloader.dataset.sources[0].aux_stream.representation = representation
val_dataloader = dict(dataset=dict(source=dict(aux_stream=dict(representation=representation))))
test_dataloader = val_dataloader
