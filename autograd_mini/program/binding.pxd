# What Cython is told of binding.py: a bound call is an object of C, which is called without a look at its attributes.
from ..settings cimport Settings

cdef Settings in_force

cdef class BoundCall:
    cdef readonly object args
    cdef str _name
    cdef object _specialization, _d, _value, _slopes, _run, _now
    cdef bint _check, _checks
    cdef object __weakref__
