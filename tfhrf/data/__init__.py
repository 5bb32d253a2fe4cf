"""Corpora, protocols, and the way from sound files to windows of log-mel frames."""
