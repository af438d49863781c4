"""HTML pages without a server: they step through a graph, ask questions about it, and train a net."""
