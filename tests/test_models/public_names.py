"""Our weights under the names of public code, for tests that load them back."""


def foreign_head(model):
    """The centre head's entries as OSTrack's code names them."""
    for name, value in model.head.state_dict().items():
        tower, layer, *rest = name.split('.')
        rest = [dict(conv='0', bn='1').get(part, part) for part in rest]
        tower = 'ctr' if tower == 'score' else tower
        yield f'box_head.conv{int(layer) + 1}_{tower}.{".".join(rest)}', value
