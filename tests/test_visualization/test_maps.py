import numpy as np
import pytest

from srtrack.visualization import distance_map, prior_map
from srtrack.visualization.maps import operation_grids

KINDS = ['norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2']


def one_stream(depth=3):
    names = [f'backbone.blocks.{i}.{kind}' for i in range(depth) for kind in reversed(KINDS)]
    return {name: 0.1 + i for i, name in enumerate([*names, 'backbone.norm'])}


def dual(scale):
    names = [
        f'backbone.{b}.blocks.{i}.{k}.weight' for b in ('rgb', 'aux') for i in (0, 1) for k in KINDS
    ]
    names += [f'backbone.fusion.1.{k}.weight' for k in KINDS]
    names += ['backbone.rgb.patch_embed.proj.weight', 'backbone.aux.pos_embed_x']
    return {name: scale * (i + 1) for i, name in enumerate(names)}


def test_grid_places_kinds_in_rows_and_blocks_in_columns():
    scores = one_stream()
    grids, rest = operation_grids(scores)
    grid = grids['']
    assert (grid.rows, grid.columns) == (KINDS, [0, 1, 2])
    for r, kind in enumerate(KINDS):
        for c in range(3):
            assert grid.values[r, c] == scores[f'backbone.blocks.{c}.{kind}']
    assert rest == {'norm': scores['backbone.norm']}


def test_branches_of_the_dual_backbone_and_the_rest():
    values = dual(1)
    grids, rest = operation_grids(values)
    assert list(grids) == ['rgb', 'aux', 'fusion']
    assert grids['fusion'].columns == [1]
    assert grids['aux'].values[1, 0] == values['backbone.aux.blocks.0.attn.qkv.weight']
    assert set(rest) == {'rgb.patch_embed.proj', 'aux.pos_embed_x'}


def test_weight_stands_for_its_operation_and_a_lone_bias_for_itself():
    grids, rest = operation_grids(
        {
            'blocks.0.norm1.bias': 9.0,
            'blocks.0.norm1.weight': 1.0,
            'blocks.0.attn.proj.bias': 2.0,
            'head.conv.0.weight': 3.0,
        }
    )
    assert grids[''].rows == ['norm1', 'attn.proj']
    np.testing.assert_array_equal(grids[''].values, [[1], [2]])
    assert rest == {'head.conv.0': 3}


def test_missing_operations_are_nan():
    grids, _ = operation_grids({'blocks.0.norm1': 1.0, 'blocks.2.mlp.fc1': 2.0})
    np.testing.assert_array_equal(grids[''].values, [[1, np.nan], [np.nan, 2]])


def test_prior_map_draws_the_grid_and_the_rest():
    scores = one_stream()
    fig = prior_map(scores)
    grid, strip = (ax.collections[0].get_array().ravel() for ax in fig.axes[:2])
    np.testing.assert_array_equal(grid, operation_grids(scores)[0][''].values.ravel())
    np.testing.assert_array_equal(strip, [scores['backbone.norm']])
    fig.draw_without_rendering()


def test_distance_map_has_one_colour_scale_for_all_runs():
    fig = distance_map({'full': dual(1.0), 'ours': dual(0.1)})
    meshes = [
        ax.collections[0] for ax in fig.axes if ax.collections and ax.get_label() != '<colorbar>'
    ]
    assert len(meshes) == 2 * (3 + 1)
    assert {(mesh.norm.vmin, mesh.norm.vmax) for mesh in meshes} == {(0, max(dual(1.0).values()))}


@pytest.mark.parametrize('values', [[0.0, 0.0], [-1.0, 0.0], [float('nan'), 1.0], [1e-9, 1e3]])
@pytest.mark.parametrize('log', [False, True])
def test_maps_draw_degenerate_scores(values, log):
    fig = prior_map({'blocks.0.norm1': values[0], 'blocks.1.norm1': values[1]}, log=log)
    fig.draw_without_rendering()
    shown = fig.axes[0].collections[0].get_array()
    hidden = [not np.isfinite(v) or (log and v <= 0) for v in values]
    np.testing.assert_array_equal(np.ma.getmaskarray(shown).ravel(), hidden)


def test_empty_map_is_refused():
    with pytest.raises(ValueError, match='at least one operation'):
        prior_map({})
