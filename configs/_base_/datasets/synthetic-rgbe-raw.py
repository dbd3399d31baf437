# The embedded benchmark's RGB + event domain, with images drawn from raw events (Table X).
_base_ = './synthetic-rgbe.py'
aux_stream = dict(representation='{{$SRTRACK_EVENTS:color_polarity}}')
_base_.train_dataloader.dataset.sources[0].aux_stream = aux_stream
val_dataloader = dict(dataset=dict(source=dict(aux_stream=aux_stream)))
test_dataloader = val_dataloader
