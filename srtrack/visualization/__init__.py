"""Curves, maps, radar plots, film strips and the HTML report, drawn from plain data."""

from .curves import (
    expected_overlap_plot,
    loss_curves,
    normalized_precision_plot,
    precision_plot,
    precision_recall_plot,
    success_plot,
    tradeoff_plot,
)
from .evaluation_report import (
    RawFiles,
    evaluation_figures,
    telling_sequences,
    write_evaluation_report,
)
from .export import save_figure
from .film_strip import draw_boxes, draw_label, film_strip
from .gains import gains_plot
from .gradients import sparsity_map, transfer_map
from .maps import distance_map, prior_map
from .radar import radar_plot
from .report import (
    Cell,
    Section,
    code_section,
    figure_section,
    image_section,
    settings_section,
    table_section,
    text_section,
    write_report,
)
from .results_report import headline_measures, write_results_report
from .training import distance_curves, train_test_plot
from .transfer_report import run_colors, run_name, write_transfer_report

__all__ = [
    'Cell',
    'RawFiles',
    'Section',
    'code_section',
    'distance_curves',
    'distance_map',
    'draw_boxes',
    'draw_label',
    'evaluation_figures',
    'expected_overlap_plot',
    'figure_section',
    'film_strip',
    'gains_plot',
    'headline_measures',
    'image_section',
    'loss_curves',
    'normalized_precision_plot',
    'precision_plot',
    'precision_recall_plot',
    'prior_map',
    'radar_plot',
    'run_colors',
    'run_name',
    'save_figure',
    'settings_section',
    'sparsity_map',
    'success_plot',
    'table_section',
    'telling_sequences',
    'text_section',
    'tradeoff_plot',
    'train_test_plot',
    'transfer_map',
    'write_evaluation_report',
    'write_report',
    'write_results_report',
    'write_transfer_report',
]
