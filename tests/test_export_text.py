"""Programs as source code: names, constants, errors and the text itself."""

from __future__ import annotations

import ctypes
import itertools
import math
import pickle
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exports import (
    FLAGS,
    GCC,
    LANGUAGES,
    NUMBERS,
    Case,
    agree,
    agree_on,
    apart,
    javascript,
    layer,
    needs_gcc,
    numbers_of,
    python,
)
from node import NODE

import autograd_mini as ag
from autograd_mini import OPS, Op, Value

RNG = np.random.default_rng(0)


# Names, constants, errors.


def test_names_that_are_words_of_the_language() -> None:
    def double(
        int: Any,
        char: Any,
        NAN: Any,
        main: Any,
        λ: Any,  # noqa: PLC2401
        sum: Any,
        i: Any,
        j: Any,
        value: Any,
        dx: Any,
        np: Any,
    ) -> Any:
        return int * char + NAN * main + λ * sum + i * j + value * dx * np

    agree(double, tuple(map(float, range(2, 13))), argnums=tuple(range(11)))
    compiled = ag.compile(double)
    compiled(*[1.0] * 11)
    code = compiled.source("c")
    assert code.isascii()
    assert "int double_2(double int_2, double char_2, double NAN_2, double main_2, double lamda," in code


@pytest.mark.parametrize(
    "name", ["exp", "gelu", "f_gelu", "_gelu", "main", "await", "λ", "a b", "", "class", "sum", "each", "number"]
)
def test_a_function_of_any_name(name: str) -> None:
    def f(f_gelu: Any, gelu: Any, erfc: Any) -> Any:
        return ag.gelu(f_gelu) * ag.gelu(gelu) + erfc

    f.__name__ = name
    agree(f, (0.5, 0.25, 0.125), derivatives=["grad"], argnums=(0, 1, 2))


def test_labels_end_no_comment() -> None:
    agree(lambda p: p["*/"] * p["\n"] * p['"'], ({"*/": 2.0, "\n": 3.0, '"': 5.0},))
    k = Value(0.5, 'a */ """ \\ \n b')
    agree(lambda x: x * k, (2.0,))


def test_constants_are_written_in_full() -> None:
    known = [1e-310, 5e-324, math.inf, -0.0, math.pi, 0.1, 1.7976931348623157e308]
    compiled = ag.compile(lambda x: [*(x[i] * c for i, c in enumerate(known)), ag.maximum(x[0], math.nan), 5.0, -0.0])
    agree(compiled, ([1.0] * len(known),), derivatives=[None], tolerance=0.0)


def test_numbers_of_values_that_a_function_closes_over_are_told() -> None:
    k = Value(0.1, "k")
    compiled = ag.compile(lambda x: x * k)
    compiled(2.0)
    for language in LANGUAGES:
        assert "Values that it closes over are constants here: k = 0.1" in compiled.source(language).replace(
            "\n * ", " "
        )
    k.data = 0.3
    with pytest.raises(LookupError, match="no program"):
        compiled.source("c")
    assert "k = 0.3" in compiled.source("c", 2.0).replace("0.29999999999999999", "0.3")


def test_ops_of_ones_own_are_written_from_their_sources() -> None:
    @ag.custom_rule(lambda x, z: 1 / (1 + x * x) if x > 0 else 0.0)
    def own(x: float) -> float:
        total = 0.0
        for k in range(3):
            total += math.exp(-x * k) / (k + 1)
        return total if total > 1 else math.log(x)

    agree(lambda x, y: own(x) * own(y), *itertools.product(NUMBERS, repeat=2), derivatives=["grad"], argnums=(0, 1))


@pytest.mark.parametrize(
    "name", ["<lambda>", "given", "each", "np", "float", "f", "v1", "class", "log", "x_", "_", "2", "λ"]
)
def test_an_op_of_any_name(name: str) -> None:
    def own(x: float) -> float:
        return x * x

    own.__name__ = name
    op = ag.custom_rule(lambda x, z: 2 * x)(own if name != "<lambda>" else lambda x: x * x)
    agree(lambda x, y: op(x) * op(y) * ag.log(x), (3.0, 0.25))


def test_variables_of_an_op_may_have_names_of_functions() -> None:
    @ag.custom_rule(lambda x, z: 2 * x)
    def own(np: float) -> float:
        gelu, math = ag.gelu(np), 2.0
        return math * gelu

    agree(own, (0.5,))


def test_an_op_that_cannot_be_written_is_refused_by_its_name() -> None:
    @ag.custom_rule(lambda x, z: 1.0)
    def unwritten(x: float) -> float:
        return float(f"{x:.3f}")

    compiled = ag.compile(unwritten)
    with pytest.warns(UserWarning, match="unwritten"):
        compiled(1.0)
    languages: list[Any] = ["numpy", "c", "javascript"]
    for language in languages:
        with pytest.raises(NotImplementedError, match=r"unwritten: there is no .* for unwritten"):
            compiled.source(language)


def test_keys_that_are_one_in_javascript() -> None:
    compiled = ag.compile(lambda p: p[1] * p["1"])
    compiled({1: 2.0, "1": 3.0})
    assert python(compiled.source("numpy"))({1: 2.0, "1": 3.0}) == 6.0
    with pytest.raises(NotImplementedError, match="there is no JavaScript for a dict with the keys"):
        compiled.source("javascript")


def test_errors_say_what_to_give() -> None:
    compiled = ag.compile(lambda x, y: x * y)
    with pytest.raises(LookupError, match="there is no program yet: call the function first, or give arguments"):
        compiled.source("c")
    assert "int f(" in compiled.source("c", 1.0, 2.0)
    compiled(np.ones(2), 2.0)
    with pytest.raises(LookupError, match="there are programs for 2 structures of arguments: give"):
        compiled.source("c")
    compiled = ag.compile(lambda x, y: x * y)
    compiled(1.0, 2.0)
    with pytest.raises(ValueError, match="source writes 'numpy', 'c' and 'javascript', not 'rust'"):
        compiled.source("rust")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='derivative must be None, "grad" or "jvp", not \'hessian\''):
        compiled.source("c", derivative="hessian")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="argnums 1 asks for a derivative"):
        compiled.source("c", argnums=1)
    with pytest.raises(ValueError, match="argnums 2, but the count of arguments, without static ones, is 2"):
        compiled.source("c", derivative="grad", argnums=2)
    with pytest.raises(ValueError, match="names an argument twice"):
        compiled.source("c", derivative="grad", argnums=(0, -2))
    several = ag.compile(lambda x: [x, x])
    several(1.0)
    with pytest.raises(TypeError, match="a gradient needs one output"):
        several.source("c", derivative="grad")
    nothing = ag.compile(lambda x: None)
    nothing(1.0)
    with pytest.raises(ValueError, match="it returns no number"):
        nothing.source("numpy")


def test_arguments_of_another_shape_are_refused() -> None:
    compiled = ag.compile(layer)
    W, b, x = np.ones((3, 4)), np.ones(3), np.ones(4)
    compiled({"W": W, "b": b}, x)
    function = python(compiled.source("numpy"))
    with pytest.raises(ValueError, match=r"p\['W'\] must have the shape \(3, 4\), and has \(4, 3\)"):
        function({"W": W.T, "b": b}, x)
    if NODE is not None:
        code = compiled.source("javascript")
        calls = [({"W": W.T, "b": b}, x), ({"W": W, "b": b}, 1.0), ({"W": W, "b": [1.0, 2.0, None]}, x)]
        assert javascript([code], [calls]) == [["TypeError"] * 3]


def test_results_share_no_memory_with_arguments_or_with_one_another() -> None:
    compiled = ag.compile(lambda x, y: (x * y).sum())
    x, y = np.ones(3), np.full(3, 2.0)
    compiled(x, y)
    _, (dx, dy) = python(compiled.source("numpy", derivative="grad", argnums=(0, 1)))(x, y)
    dx[:] = dy[:] = 7.0
    assert x.tolist() == [1.0] * 3
    assert y.tolist() == [2.0] * 3


# Text.


def test_numpy_alone_is_needed() -> None:
    compiled = ag.compile(layer)
    args = {"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=3)}, RNG.normal(size=4)
    compiled(*args)
    text = repr(args)[1:-1]
    found = apart(compiled.source("numpy", derivative="grad"), text)
    value, slopes = compiled.value_and_grad(*args)
    assert found == pytest.approx([value, *numbers_of(slopes)], rel=1e-7)  # as repr writes arrays


def test_c_is_readable() -> None:
    compiled = ag.compile(layer)
    compiled({"W": np.ones((3, 4)), "b": np.ones(3)}, np.ones(4))
    assert (
        compiled.source("c", derivative="grad").partition("#include")[2]
        == """ <math.h>

int layer_grad(const double W[12], const double b[3], const double x[4], double *value,
    double dW[12], double db[3]) {
    double v1[3];
    for (int i = 0; i < 3; i++) {
        double sum = -0.0;
        for (int j = 0; j < 4; j++) sum += W[4*i + j] * x[j];
        v1[i] = sum + b[i];
    }
    double v2[3];
    for (int i = 0; i < 3; i++)
        v2[i] = tanh(v1[i]);
    double v3 = -0.0;
    for (int i = 0; i < 3; i++) v3 += v2[i];
    *value = v3;
    /* The way back: dx is the derivative of the value with respect to x. */
    const double dv3 = 1.0;
    double dv2[3];
    for (int i = 0; i < 3; i++)
        dv2[i] = dv3;
    double dv1[3];
    for (int i = 0; i < 3; i++)
        dv1[i] = dv2[i] * (1.0 - v2[i] * v2[i]);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            dW[4*i + j] = dv1[i] * x[j];
    for (int i = 0; i < 3; i++)
        db[i] = dv1[i];
    return 0;
}
"""
    )


def test_a_large_program_is_short() -> None:
    compiled = ag.compile(lambda A, B: ag.tanh((A @ B).sum()))
    A = np.ones((30, 30))
    compiled(A, A)
    for language in LANGUAGES:
        assert len(compiled.source(language, derivative="grad", argnums=(0, 1)).splitlines()) < 80


def test_a_pickled_function_is_written_too() -> None:
    compiled = ag.compile(lambda x: x * x)
    compiled(3.0)
    assert "v1 = x * x" in pickle.loads(pickle.dumps(compiled)).source("c")


def test_arrays_without_numbers() -> None:
    compiled = ag.compile(lambda x, p: p["y"] * 2.0)
    args = np.zeros((2, 0)), {"y": 3.0, "z": [], "n": None}
    compiled(*args)
    for derivative, argnums in (("grad", (0, 1)), ("jvp", None), (None, None)):
        case = Case(compiled, [args], derivative, argnums)
        agree_on([case])
    value, (dx, dp) = python(compiled.source("numpy", derivative="grad", argnums=(0, 1)))(*args)
    assert (value, dx.shape, dp) == (6.0, (2, 0), {"n": None, "y": 2.0, "z": []})


def test_static_arguments_are_part_of_the_program() -> None:
    compiled = ag.compile(lambda x, n: x**n, static_argnums=1)
    compiled(2.0, 3)
    assert python(compiled.source("numpy", derivative="grad"))(2.0) == (8.0, 12.0)


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.name != "polygamma"], ids=str)
def test_numpy_code_has_no_names_that_are_new_in_version_2(op: Op) -> None:
    pytest.importorskip("scipy")
    code = ag.compile(lambda xs: op(*xs), runner="numpy").source("numpy", [0.5] * len(op.rules))
    assert not re.search(r"np\.(a(cos|sin|tan)h?2?|pow)\b", code)


def test_a_deep_program() -> None:
    def f(x: Any) -> Any:
        for _ in range(3000):
            x = ag.sin(x)
        return x

    agree(f, (1.0,), derivatives=["grad"])


@needs_gcc
def test_the_use_in_c_of_the_page() -> None:
    page = (Path(__file__).parent.parent / "docs" / "howto" / "export.md").read_text()
    (use,) = re.findall(r"^```c\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    def misfit(p: Any, t: Any, y: Any) -> Any:
        return (p[0] * ag.exp(-p[1] * t) - y) ** 2

    compiled = ag.compile(misfit)
    code = compiled.source("c", [1.0, 0.5], 2.0, 0.3, derivative="grad")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "f.c")
        file.write_text(f"{code}\n{use}")
        command = [
            GCC or "",
            *FLAGS,
            "-Wno-redundant-decls",
            "-shared",
            "-fPIC",
            str(file),
            "-o",
            f"{folder}/f.so",
            "-lm",
        ]
        subprocess.run(command, check=True)
        learn = ctypes.CDLL(f"{folder}/f.so").learn
    learn.restype = ctypes.c_double
    p, expected = (ctypes.c_double * 2)(1.0, 0.5), [1.0, 0.5]
    for _ in range(20):
        value, slopes = compiled.value_and_grad(expected, 2.0, 0.3)
        assert learn(p, ctypes.c_double(2.0), ctypes.c_double(0.3)) == pytest.approx(value, rel=1e-9, abs=1e-15)
        expected = [x - 0.1 * slope for x, slope in zip(expected, slopes, strict=True)]
    assert list(p) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("language", ["c", "javascript", "numpy"])
def test_a_loop_is_written_step_by_step(language: Any) -> None:
    f = ag.compile(lambda w, xs: ag.scan(lambda c, x: (ag.tanh(w * c + x), c), 0.5, xs)[0])
    f(0.3, np.zeros(7))
    with pytest.raises(NotImplementedError, match="is written step by step: give arguments"):
        f.source(language)
    pickled = pickle.loads(pickle.dumps(f))
    assert f.source(language, 0.3, np.zeros(3), derivative="grad")
    for args in ((), (0.3, np.zeros(7))):
        with pytest.raises(ValueError, match="its loops cannot be written out, because a pickled program has no"):
            pickled.source(language, *args)


def test_a_loop_has_the_ways_that_source_was_given() -> None:
    f = ag.compile(lambda x: ag.fori(3, lambda i, c: c * x, 1.0) if x > 0 else x)
    f(2.0)
    f(-2.0)
    with pytest.raises(ValueError, match="a way through its branches that was not written"):
        python(f.source("numpy", 2.0))(-2.0)
    function = python(f.source("numpy", -2.0))
    assert (function(2.0), function(-2.0)) == (8.0, -2.0)


@pytest.mark.parametrize("language", ["c", "javascript", "numpy"])
def test_results_that_cannot_be_written_are_refused(language: Any) -> None:
    f = ag.compile(lambda x: [x[0]] if x[0] > 0 else [x[0], x[1]])
    f([1.0, 2.0])
    f([-1.0, 2.0])
    with pytest.raises(NotImplementedError, match="another structure"):
        f.source(language)
    hessian = ag.hessian(lambda x: x[0] * x[0] * x[1], sparse=True)
    with pytest.raises(NotImplementedError, match="a sparse matrix cannot be written: return its `values`"):
        ag.compile(hessian).source(language, [1.0, 2.0])
    agree(
        lambda x: hessian(x).values,
        ([1.0, 2.0],),
        derivatives=[None, "jvp"],
        languages=[language] * (language in LANGUAGES),
    )
