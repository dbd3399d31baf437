# Table X, event volume. FE108 SR 67.3, PR 96.1; VisEvent SR 61.4, PR 77.9; COESOT SR 69.1, PR 82.4.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108-raw}}.py'
representation = 'event_volume'
_base_.train_dataloader.dataset.sources[0].aux_stream.representation = representation
val_dataloader = dict(dataset=dict(source=dict(aux_stream=dict(representation=representation))))
test_dataloader = val_dataloader
