"""Trained models and what they say of a sound."""
