# What Cython is told of sums.py beyond its annotations: what is called in C.
from .evaluation cimport inner_product, read_operand, total_of, unit_weights
from .value cimport Value, make_node

cdef object dot_row, sum_row

cdef bint _holds_value(list operands)
