# Table X, the paper's own colour-polarity images.
# FE108 SR 67.5, PR 96.5; VisEvent SR 61.8, PR 78.6; COESOT SR 69.6, PR 83.0.
# FE108 from its recordings; for the others draw the images with events_to_frames.py.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:fe108-raw}}.py'
representation = 'color_polarity'
_base_.train_dataloader.dataset.sources[0].aux_stream.representation = representation
val_dataloader = dict(dataset=dict(source=dict(aux_stream=dict(representation=representation))))
test_dataloader = val_dataloader
