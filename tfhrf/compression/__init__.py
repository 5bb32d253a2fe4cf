"""From a folded model to a smaller one: pruned, clustered, trained for integers, reported on."""
