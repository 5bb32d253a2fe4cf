"""The method: factorized layers (HRF), expanding a model with them, folding them away (deHRF)."""
