"""A web page that listens: the C of a firmware project, and what shows its answers."""

from tfhrf.deploy.page.writer import Costs, write_page

__all__ = ["Costs", "write_page"]
