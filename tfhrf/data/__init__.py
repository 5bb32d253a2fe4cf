"""Corpora, protocols, and the way from sound files to windows of log-mel frames."""

from tfhrf.data.tables import read_folders, read_table

__all__ = ["read_folders", "read_table"]
