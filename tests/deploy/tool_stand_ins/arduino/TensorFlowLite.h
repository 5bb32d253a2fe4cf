// Stands in for the header that tells Arduino which library is meant.
