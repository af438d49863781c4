# What Cython is told of op.py: the C type of recorders, so that an operand's type is asked in C.
from .recorder cimport Recorder
