"""The firmware around a model: C sources of the application, and folders for other tools."""

from tfhrf.deploy.project.layouts import arrange, check_layout
from tfhrf.deploy.project.writer import application_files, class_names, classifier_files

__all__ = ["application_files", "arrange", "check_layout", "class_names", "classifier_files"]
