"""The firmware around a model: C sources of the application, and folders for other tools."""

from tfhrf.deploy.project.writer import write_project

__all__ = ["write_project"]
