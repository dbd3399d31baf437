# Table X, event frame. FE108 SR 66.8, PR 95.5; VisEvent SR 61.2, PR 77.6; COESOT SR 68.8, PR 82.0.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108-raw}}.py'
representation = 'event_frame'
_base_.train_dataloader.dataset.sources[0].aux_stream.representation = representation
val_dataloader = dict(dataset=dict(source=dict(aux_stream=dict(representation=representation))))
test_dataloader = val_dataloader
