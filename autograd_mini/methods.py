"""The rows of the table as methods of `Value`, as `python tests/generate.py` writes them.

The module knows the table by its dictionary of methods, and must not know how a node is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, SupportsFloat

from .recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    import cython

    from .value import Value

    METHODS: dict[str, Callable[..., Value]]  # a row makes a Value of Values
else:
    from . import uncompiled as cython
    from .recorder import METHODS


@cython.no_gc  # so that a compiled Value can be without the collector
@cython.cclass
class Methods(Recorder):
    """A method for each row of the table, with its types and its documentation."""

    __slots__ = ()

    def neg(self, /) -> Value:
        """Negate, $-x$."""
        return METHODS["neg"](self)

    negative = neg  # NumPy's name

    def abs(self, /) -> Value:
        """Take the absolute value, $|x|$.

        Convention: abs'(0) = 0.
        """
        return METHODS["abs"](self)

    absolute = abs  # NumPy's name

    fabs = abs  # NumPy's name

    def sqrt(self, /) -> Value:
        r"""Take the square root, $\sqrt{x}$.

        Convention: sqrt'(0) = inf.
        """
        return METHODS["sqrt"](self)

    def cbrt(self, /) -> Value:
        r"""Take the cube root, $\sqrt[3]{x}$.

        Convention: cbrt'(0) = inf.
        """
        return METHODS["cbrt"](self)

    def hypot(self, y: SupportsFloat, /) -> Value:
        r"""Take the length of the hypotenuse, $\sqrt{x^2 + y^2}$.

        Convention: both partials are 0 at the origin.
        """
        return METHODS["hypot"](self, y)

    def exp(self, /) -> Value:
        """Raise e to a power, $e^x$."""
        return METHODS["exp"](self)

    def exp2(self, /) -> Value:
        """Raise 2 to a power, $2^x$."""
        return METHODS["exp2"](self)

    def expm1(self, /) -> Value:
        """Take the exponential minus one, $e^x - 1$, exact near 0."""
        return METHODS["expm1"](self)

    def log(self, /) -> Value:
        r"""Take the natural logarithm, $\log x$."""
        return METHODS["log"](self)

    def log1p(self, /) -> Value:
        r"""Take the logarithm of one plus x, $\log(1 + x)$, exact near 0."""
        return METHODS["log1p"](self)

    def log2(self, /) -> Value:
        r"""Take the logarithm to base 2, $\log_2 x$."""
        return METHODS["log2"](self)

    def log10(self, /) -> Value:
        r"""Take the logarithm to base 10, $\log_{10} x$."""
        return METHODS["log10"](self)

    def xlogy(self, y: SupportsFloat, /) -> Value:
        r"""Multiply by a logarithm, $x \log y$, which is 0 at $x = 0$ (the entropy's convention).

        Convention: 0 log 0 = 0.
        """
        return METHODS["xlogy"](self, y)

    def logaddexp(self, y: SupportsFloat, /) -> Value:
        r"""Add in logarithms, $\log(e^x + e^y)$, without overflow.

        Convention: two infinite numbers share the derivative equally.
        """
        return METHODS["logaddexp"](self, y)

    def logit(self, /) -> Value:
        r"""Take the logarithm of the odds, $\log \frac{x}{1 - x}$, the inverse of the sigmoid."""
        return METHODS["logit"](self)

    def sin(self, /) -> Value:
        r"""Take the sine of an angle in radians, $\sin x$."""
        return METHODS["sin"](self)

    def cos(self, /) -> Value:
        r"""Take the cosine of an angle in radians, $\cos x$."""
        return METHODS["cos"](self)

    def tan(self, /) -> Value:
        r"""Take the tangent of an angle in radians, $\tan x$.

        Convention: a pole at the odd multiples of pi/2, none of them a float.
        """
        return METHODS["tan"](self)

    def asin(self, /) -> Value:
        r"""Take the angle whose sine is x, $\arcsin x$, in radians.

        Convention: asin'(±1) = inf.
        """
        return METHODS["asin"](self)

    arcsin = asin  # NumPy's name

    def acos(self, /) -> Value:
        r"""Take the angle whose cosine is x, $\arccos x$, in radians.

        Convention: acos'(±1) = -inf.
        """
        return METHODS["acos"](self)

    arccos = acos  # NumPy's name

    def atan(self, /) -> Value:
        r"""Take the angle whose tangent is x, $\arctan x$, in radians."""
        return METHODS["atan"](self)

    arctan = atan  # NumPy's name

    def atan2(self, y: SupportsFloat, /) -> Value:
        r"""Take the angle of the point with ordinate x and abscissa y, $\operatorname{\mathrm{atan2}}(x, y)$, in
        radians.

        Convention: the partials are nan at the origin, where the angle has no slope.
        """
        return METHODS["atan2"](self, y)

    arctan2 = atan2  # NumPy's name

    def degrees(self, /) -> Value:
        r"""Turn radians into degrees, $180 x / \pi$."""
        return METHODS["degrees"](self)

    rad2deg = degrees  # NumPy's name

    def radians(self, /) -> Value:
        r"""Turn degrees into radians, $\pi x / 180$."""
        return METHODS["radians"](self)

    deg2rad = radians  # NumPy's name

    def sinc(self, /) -> Value:
        r"""Take NumPy's sinc, $\frac{\sin \pi x}{\pi x}$, which is 1 at 0. It has all derivatives at 0."""
        return METHODS["sinc"](self)

    def sinh(self, /) -> Value:
        r"""Take the hyperbolic sine, $\sinh x$."""
        return METHODS["sinh"](self)

    def cosh(self, /) -> Value:
        r"""Take the hyperbolic cosine, $\cosh x$."""
        return METHODS["cosh"](self)

    def tanh(self, /) -> Value:
        r"""Take the hyperbolic tangent, $\tanh x$."""
        return METHODS["tanh"](self)

    def asinh(self, /) -> Value:
        r"""Take the inverse hyperbolic sine, $\operatorname{arsinh} x$."""
        return METHODS["asinh"](self)

    arcsinh = asinh  # NumPy's name

    def acosh(self, /) -> Value:
        r"""Take the inverse hyperbolic cosine, $\operatorname{arcosh} x$.

        Convention: acosh'(1) = inf.
        """
        return METHODS["acosh"](self)

    arccosh = acosh  # NumPy's name

    def atanh(self, /) -> Value:
        r"""Take the inverse hyperbolic tangent, $\operatorname{artanh} x$."""
        return METHODS["atanh"](self)

    arctanh = atanh  # NumPy's name

    def erf(self, /) -> Value:
        r"""Take the error function, $\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt$."""
        return METHODS["erf"](self)

    def erfc(self, /) -> Value:
        r"""Take the complementary error function, $1 - \operatorname{erf} x$."""
        return METHODS["erfc"](self)

    def erfinv(self, /) -> Value:
        r"""Take the inverse of the error function, the z with $\operatorname{erf} z = x$."""
        return METHODS["erfinv"](self)

    def gamma(self, /) -> Value:
        r"""Take the gamma function, $\Gamma(x)$; its derivative needs SciPy."""
        return METHODS["gamma"](self)

    def lgamma(self, /) -> Value:
        r"""Take the logarithm of the gamma function, $\log\Gamma(x)$; its derivative needs SciPy."""
        return METHODS["lgamma"](self)

    def betaln(self, y: SupportsFloat, /) -> Value:
        r"""Take the logarithm of the beta function, $\log \frac{\Gamma(x) \Gamma(y)}{\Gamma(x + y)}$; its second
        derivatives need SciPy.
        """
        return METHODS["betaln"](self, y)

    def digamma(self, /) -> Value:
        r"""Take the logarithmic derivative of the gamma function, $\psi(x)$; needs SciPy."""
        return METHODS["digamma"](self)

    def sigmoid(self, /) -> Value:
        r"""Squash into (0, 1), $\sigma(x) = 1 / (1 + e^{-x})$, without overflow on either side."""
        return METHODS["sigmoid"](self)

    def softplus(self, /) -> Value:
        r"""Smooth the rectifier, $\log(1 + e^x)$, without overflow on either side."""
        return METHODS["softplus"](self)

    def log_sigmoid(self, /) -> Value:
        r"""Take the logarithm of the sigmoid, $\log \sigma(x) = -\log(1 + e^{-x})$, without overflow on either side."""
        return METHODS["log_sigmoid"](self)

    def relu(self, /) -> Value:
        r"""Rectify, $\max(0, x)$.

        Convention: relu'(0) = 0.
        """
        return METHODS["relu"](self)

    def leaky_relu(self, y: SupportsFloat = 0.01, /) -> Value:
        """Rectify with slope y (0.01 unless given) on the left: $x$ for $x > 0$, else $y x$.

        Convention: the slope at 0 is y.
        """
        return METHODS["leaky_relu"](self, y)

    def gelu(self, /) -> Value:
        r"""Weigh by the normal distribution, $x \Phi(x)$, exactly (Hendrycks and Gimpel, 2016)."""
        return METHODS["gelu"](self)

    def silu(self, /) -> Value:
        r"""Weigh by the sigmoid, $x \sigma(x)$ (Elfwing et al., 2017)."""
        return METHODS["silu"](self)

    def conjugate(self, /) -> Value:
        """Return the same as `identity`: NumPy calls it by this name."""
        return METHODS["conjugate"](self)

    def stop_gradient(self, /) -> Value:
        """Pass a value on, but no derivative: $x$, with slope 0.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["stop_gradient"](self)

    def maximum(self, y: SupportsFloat, /) -> Value:
        r"""Take the larger number, $\max(x, y)$, or nan if either is nan.

        Convention: a tie shares the derivative equally.
        """
        return METHODS["maximum"](self, y)

    def minimum(self, y: SupportsFloat, /) -> Value:
        r"""Take the smaller number, $\min(x, y)$, or nan if either is nan.

        Convention: a tie shares the derivative equally.
        """
        return METHODS["minimum"](self, y)

    def sign(self, /) -> Value:
        """Take the sign, $-1$, $0$ or $1$.

        Convention: sign(0) = 0, sign'(x) = 0.
        """
        return METHODS["sign"](self)

    def floor(self, /) -> Value:
        r"""Round down to a whole number, $\lfloor x \rfloor$, as a float.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["floor"](self)

    def ceil(self, /) -> Value:
        r"""Round up to a whole number, $\lceil x \rceil$, as a float.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["ceil"](self)

    def round(self, /) -> Value:
        r"""Round to the nearest whole number, $\operatorname{round}(x)$, as a float; halves go to even numbers.

        Convention: halves to even; the derivative is 0 everywhere.
        """
        return METHODS["round"](self)

    rint = round  # NumPy's name

    def trunc(self, /) -> Value:
        r"""Drop the digits after the point, $\operatorname{trunc}(x)$, as a float.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["trunc"](self)

    def greater(self, y: SupportsFloat, /) -> Value:
        """Return 1 where $x > y$ and 0 elsewhere.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["greater"](self, y)

    def greater_equal(self, y: SupportsFloat, /) -> Value:
        r"""Return 1 where $x \ge y$ and 0 elsewhere.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["greater_equal"](self, y)

    def equal(self, y: SupportsFloat, /) -> Value:
        """Return 1 where $x = y$ and 0 elsewhere.

        Convention: the derivative is 0 everywhere.
        """
        return METHODS["equal"](self, y)
