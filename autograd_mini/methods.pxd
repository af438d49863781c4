# What Cython is told of methods.py: that Methods can be the base of a compiled class.
from .recorder cimport Recorder

cdef class Methods(Recorder):
    pass
