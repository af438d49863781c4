# What Cython is told of node.py beyond its annotations: the C layout of a node, and what is called in C.
cimport cython
from cpython cimport array
from cpython.object cimport PyObject

from .methods cimport Methods
from .settings cimport Settings, watching

cdef Settings in_force
cdef long long _assignments

@cython.no_gc  # here, too: modules with a subclass of Node or an attribute of this type read only this file
cdef class Node(Methods):
    cdef double _data, _grad, _dx, _dy
    cdef object _op_row, _x, _y
    cdef str _label
    cdef long long _mark
    cdef object __weakref__

cpdef object constant(object op, object other, str reflected)
cpdef double primal(Node node)
cpdef double primal_grad(Node node)
cpdef double number_of(object operand) except? -1.0
cpdef tuple operands_of(Node node)
cpdef tuple weights_of(Node node)
cpdef bint was_assigned(Node leaf)
cpdef long long assignments()
cpdef object count_assignment()

# An operand that is known to be a node: Cython's own test would look for Node among the bases of its class.
cdef inline Node as_node(object operand) noexcept:
    return <Node>operand

# The partials of a row of many operands, an array of doubles.
cdef inline double entry(object weights, Py_ssize_t i) noexcept:
    return (<array.array>weights).data.as_doubles[i]

cdef inline int put(object weights, Py_ssize_t i, double weight) noexcept:
    (<array.array>weights).data.as_doubles[i] = weight
    return 0

# The hash of a node: as `object` has it, without an int of Python's on the way.
cdef inline Py_hash_t address(Node node) noexcept:
    return <Py_hash_t>((<size_t><PyObject*>node) >> 4)
