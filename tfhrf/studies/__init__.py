"""Studies of a corpus: training, testing, tables and pictures. Needs the extra "recipes"."""
