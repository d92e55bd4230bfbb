"""The Jobs page: what runs, what waits and for what, and how the others ended."""

from url_viz.ui.job_list import show_jobs
from url_viz.ui.widgets.sidebar import show_title

show_title(
    "Jobs",
    "Work goes on even if you close this page or stop the app. One heavy job runs at a time; two light ones run side "
    "by side if there is enough memory.",
)
show_jobs()
