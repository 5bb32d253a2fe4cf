"""How operators become calls of kernels, one file a family."""
