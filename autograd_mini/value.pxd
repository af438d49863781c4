# What Cython is told of value.py beyond its annotations: the C layout of a node, what is called in C,
# and how a node is freed.
from cpython cimport array
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF

from .ops cimport Traced

cdef int _switched
cdef long long _walks
cdef dict _dots
cdef bint COMPILED
cdef object add, sub, mul, div, neg, power, _recording, _watch
cdef double inf

cdef class Value(Traced):
    cdef double _data, _grad, _dx, _dy
    cdef object _op_row, _x, _y
    cdef str _label
    cdef long long _mark
    cdef object __weakref__

cdef Value _node(object op, double data, object x, object y, double dx, double dy)
cdef object _constant(object op, object other, str reflected)
cdef Value _record_unary(object op, Value node)
cpdef bint is_recording()
cdef double _read(str name, list operands, Py_ssize_t i) except? -1.0
cdef object _weights(Py_ssize_t n)
cdef bint _traced(list operands)

# The partials of a row of many operands, an array of doubles.
cdef inline double entry(object weights, Py_ssize_t i) noexcept:
    return (<array.array>weights).data.as_doubles[i]

cdef inline int put(object weights, Py_ssize_t i, double weight) noexcept:
    (<array.array>weights).data.as_doubles[i] = weight
    return 0

# Operands that die with a node are put on a list, which the first node that dies empties: nothing
# recurses, however deep the graph.
cdef list _dying
cdef bint _freeing

cdef inline int free_later(object operand) except -1:
    try:
        _dying.append(operand)
    except MemoryError:  # rather never than by recursion
        Py_INCREF(operand)
    return 0

cdef inline int free_operands(Value node) except -1:
    global _freeing
    if node._y is node._x:  # as in y + y: one reference is let go here, the other below
        node._y = None
    if node._x is not None and (<PyObject*>node._x).ob_refcnt == 1:
        free_later(node._x)
    if node._y is not None and (<PyObject*>node._y).ob_refcnt == 1:
        free_later(node._y)
    node._x = node._y = None
    if _dying and not _freeing:
        _freeing = True
        while _dying:
            _dying.pop()
        _freeing = False
    return 0
