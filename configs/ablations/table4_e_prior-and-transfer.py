# Table IV (e): both sensitivities.
# FE108 SR 67.4, PR 96.5; DepthTrack Pr 64.7, Re 65.4, F 65.1; LasHeR SR 56.3, PR 70.1.
# SRTRACK_DATASET and SRTRACK_TRACKER choose data set and tracker of all ablations: see tools/ablate.py.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:lasher}}.py'
