# What Cython is told of recorder.py: that Recorder can be the base of a compiled class.
cdef class Recorder:
    pass
