# What Cython is told of value.py beyond its annotations: what is called in C, and how a node is freed.
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF

from .evaluation cimport applied_to_one, is_plain_power, raised, slope_of_one, value_of
from .node cimport Node, constant, count_assignment, operands_of, primal, weights_of
from .pickles cimport state_of
from .settings cimport Settings, is_recording, is_traced, setting, watching
from .sweeps cimport sweep_backward, sweep_forward
from .walks cimport follows

cdef Settings in_force
cdef object add, sub, mul, div, negation, power, rectifier, identity, stopper, RECORDING, ARITHMETIC
cdef double inf

cdef class Value(Node):
    pass

cpdef Value make_node(object op, double data, object x, object y, double dx, double dy)
cdef Value _same(Value node)
cdef Value _record_unary(object op, Value node)

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

cdef inline int let_go(Value node) except -1:
    if node._y is node._x:  # as in y + y: one reference is let go here, the other below
        node._y = None
    if node._x is not None and (<PyObject*>node._x).ob_refcnt == 1:
        free_later(node._x)
    if node._y is not None and (<PyObject*>node._y).ob_refcnt == 1:
        free_later(node._y)
    node._x = node._y = None
    return 0

cdef inline int free_operands(Value node) except -1:
    global _freeing
    let_go(node)
    if _dying and not _freeing:
        _freeing = True
        while _dying:
            spare(_dying.pop())
        _freeing = False
    return 0

cdef extern from *:
    """
    #ifndef __GNUC__
    #define __builtin_prefetch(address, write)
    #endif
    #define HAS_WEAKREFS(node) (*(PyObject **)((char *)(node) + Py_TYPE(node)->tp_weaklistoffset) != NULL)
    """
    bint has_weakrefs "HAS_WEAKREFS"(object node)
    void prefetch "__builtin_prefetch"(const void *, int)

# Nodes that die so wait to be used again, so that a training step builds its graph in the memory of the
# last one, which the system would take and clear meanwhile. They wait in lists by address, each linked
# through _x: nodes made one after the other stay near each other, else caches would miss each of them.
cdef list _waiting
cdef Py_ssize_t _spares, SPARES, _near

cdef inline int spare(object dying) except -1:
    global _spares
    # Two references: _dying.pop()'s and node.
    if type(dying) is not Value or _spares >= SPARES or has_weakrefs(dying):
        return 0
    node = <Value>dying
    if (<PyObject*>node).ob_refcnt != 2:
        return 0
    let_go(node)
    node._op_row = None
    near = (<size_t><PyObject*>node >> 13) & 2047  # the 8 kilobytes that it is in
    node._x = _waiting[near]
    _waiting[near] = node
    _spares += 1
    return 0

cdef inline Value new_node():
    global _spares, _near
    if _spares == 0:
        return Value.__new__(Value)
    while _waiting[_near] is None:
        _near = (_near + 1) & 2047
    node = <Value>_waiting[_near]
    _waiting[_near] = node._x
    _spares -= 1
    prefetch(<char*><PyObject*>node._x, 1)
    prefetch(<char*><PyObject*>node._x + 64, 1)
    return node
