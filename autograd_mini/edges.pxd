# What Cython is told of edges.py: the C layout of an edge.
from .node cimport operands_of, weights_of
from .value cimport Value

cdef class Edge:
    cdef readonly Value user, parent
    cdef readonly Py_ssize_t operand
    cdef readonly double weight

cpdef list edges_of(Value user)
