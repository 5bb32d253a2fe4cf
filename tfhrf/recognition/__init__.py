"""Trained models and what they say of a sound: from Python, and as the command `tfhrf`."""
