"""Pages: HTML files that step through a graph, ask about it, and train a net, without a server."""
