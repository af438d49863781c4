"""Pictures of graphs: a model of boxes, arrows and frames, functions that make it, and writers of file formats."""
