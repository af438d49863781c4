# What Cython is told of ops.py: that Traced can be the base of a compiled class.
cdef class Traced:
    pass
