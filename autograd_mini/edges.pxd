# What Cython is told of edges.py: the C layout of an edge.
from .value cimport Value, weights_of

cdef class Edge:
    cdef readonly Value user, parent
    cdef readonly Py_ssize_t operand
    cdef readonly double weight

cpdef list edges_of(Value user)
