# What Cython is told of evaluation.py beyond its annotations: what is called in C.
from .node cimport Node, as_node, number_of, operands_of, put
from .settings cimport Settings, setting

cdef Settings in_force
cdef object add, sub, mul, div, dot_row, sum_row, negation, power, rectifier, ARITHMETIC
cdef double inf

cpdef object applied_to_one(object op, Node node)
cpdef object slope_of_one(object op, double x, object data)
cpdef bint is_plain_power(double x, double c) noexcept
cpdef double raised(double x, double c) noexcept
cpdef object value_of(object op, tuple numbers, tuple operands)
cpdef double inner_product(list operands, Py_ssize_t n, object weights) except? -1.0
cpdef double total_of(list operands) except? -1.0
cpdef double read_operand(str name, list operands, Py_ssize_t i) except? -1.0
cpdef object unit_weights(Py_ssize_t n)
cpdef object compute(Node node)
cdef object _weigh(Node node, double dx, double dy)
cdef object _compute_by_row(Node node, object op)
cdef object _compute_many(Node node, object op)
cdef bint _is_near(double x, double y) except -1
