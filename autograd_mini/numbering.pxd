# What Cython is told of numbering.py: the types of nodes, of arrays, and of the numbers in its loops.
cimport cython

from .node cimport Node


@cython.locals(node=Node)
cpdef list labelled(object nodes)

@cython.locals(
    node=Node, places=dict, rows=dict, code_at=int[::1], arity_at=int[::1], name_at=int[::1], operand_at=int[::1],
    count=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t,
)
cpdef object numbered(object inputs, object order, dict names, object more, object constant)

@cython.locals(node=Node)
cdef Py_ssize_t _most_operands(object nodes) except -1
