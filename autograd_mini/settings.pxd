# What Cython is told of settings.py: the number of settings as a C int, and the functions that are called in C.
cdef class Settings:
    cdef public int count

cdef Settings _in_force
cpdef object active(object switch)
cpdef object setting(object variable, object default)
cpdef object watching()
cpdef bint is_traced()
cpdef bint is_recording()
