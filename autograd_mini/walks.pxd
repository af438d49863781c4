# What Cython is told of walks.py beyond its annotations: the number of a walk as a C int, and what is called in C.
from .node cimport Node, operands_of, weights_of
from .settings cimport Settings, active, watching

cdef Settings in_force
cdef object DIFFERENTIATING
cdef long long _walks

cpdef bint follows(Node node) except -1
