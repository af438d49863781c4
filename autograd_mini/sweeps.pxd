# What Cython is told of sweeps.py beyond its annotations: what is called in C.
from .evaluation cimport compute
from .node cimport Node, as_node, count_assignment, entry, put

cdef object _alone, _claim, _free

cpdef object sweep_backward(Node output, double seed)
cpdef object sweep_forward(Node output)
cdef object _pass_derivatives(Node output, double seed)
cdef object _compute_again(Node output)
cdef bint _hands_on(set reached, Node node, Py_ssize_t place, double weight) except -1
