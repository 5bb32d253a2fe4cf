"""The command `tfhrf`: a module for each of its commands, loading what it needs when run."""
