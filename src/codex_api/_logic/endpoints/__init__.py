"""One module an endpoint: the request it sends and how its answer is read. Used by the fronts."""
