"""The firmware around a model: C sources of the application, and folders for other tools."""

from tfhrf.application.layouts import arrange, check_layout
from tfhrf.application.writer import application_files, class_names, classifier_files

__all__ = ["application_files", "arrange", "check_layout", "class_names", "classifier_files"]
