"""The Settings page: the models, image sets and jobs of this machine."""

from url_viz.ui.image_sets import show_sets_page
from url_viz.ui.job_list import show_jobs_page
from url_viz.ui.menu import show_tabs
from url_viz.ui.models import show_models_page
from url_viz.ui.text import Markdown
from url_viz.ui.widgets.buttons import page_title

page_title(Markdown("Settings"))
show_tabs("settings", {"Models": show_models_page, "Image sets": show_sets_page, "Jobs": show_jobs_page})
