# What Cython is told of pickles.py: the C type of nodes.
from .node cimport Node, operands_of

cpdef tuple state_of(Node node)
