"""Curves, maps, radar plots, film strips and the HTML report: pure functions on plain data."""

from .curves import (
    loss_curves,
    normalized_precision_plot,
    precision_plot,
    success_plot,
    tradeoff_plot,
)
from .evaluation_report import evaluation_figures, write_evaluation_report
from .export import save_figure
from .film_strip import draw_boxes, draw_label, film_strip
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
from .transfer_report import run_colors, run_name, write_transfer_report

__all__ = [
    'Cell',
    'Section',
    'code_section',
    'distance_map',
    'draw_boxes',
    'draw_label',
    'evaluation_figures',
    'figure_section',
    'film_strip',
    'image_section',
    'loss_curves',
    'normalized_precision_plot',
    'precision_plot',
    'prior_map',
    'radar_plot',
    'run_colors',
    'run_name',
    'save_figure',
    'settings_section',
    'success_plot',
    'table_section',
    'text_section',
    'tradeoff_plot',
    'write_evaluation_report',
    'write_report',
    'write_transfer_report',
]
