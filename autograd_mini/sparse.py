"""Sparse matrices: SciPy's matrices of numbers, patterns, and matrices of Values.

This module owns the matrices of sparse derivatives. It prints and draws them, makes SciPy's matrices from them, and
tells the reader how to install SciPy. It must not know where their numbers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from .printing import counted
from .structure import Kind, array, is_array, register
from .sums import sum as total
from .value import Number, Value

DOTS = 96  # at most so many dots, across and down, in a printed pattern
CELLS = 240  # at most so many cells in a drawn pattern
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # the bits of the dots of a character, by row


def require_scipy(what: str) -> Callable[..., Any]:
    """Return SciPy's `csc_array`, or raise an ImportError with the command that installs SciPy."""
    try:
        from scipy.sparse import csc_array
    except ImportError as error:
        raise ImportError(f'{what} needs SciPy: pip install ".[scipy]"', name="scipy") from error
    made: Callable[..., Any] = csc_array
    return made


def csc_array(rows: Sequence[dict[int, float]], width: int, symmetric: bool = False) -> Any:
    """Return rows, each a dict of numbers by the column, as a `scipy.sparse.csc_array`. Entries of 0 are kept.

    If `symmetric`, the rows have only the lower half of the matrix.
    """
    make = require_scipy("a sparse array")
    import numpy as np

    lengths = np.fromiter(map(len, rows), dtype=np.intp, count=len(rows))
    size = int(lengths.sum())
    i = np.repeat(np.arange(len(rows)), lengths)
    j = np.fromiter(chain.from_iterable(rows), dtype=np.intp, count=size)
    numbers = np.fromiter(chain.from_iterable(row.values() for row in rows), dtype=float, count=size)
    if symmetric:
        below = i != j
        numbers = np.concatenate([numbers, numbers[below]])
        i, j = np.concatenate([i, j[below]]), np.concatenate([j, i[below]])
    return make((numbers, (i, j)), shape=(len(rows), width))


def mirrored(rows: Sequence[dict[int, Number]]) -> list[dict[int, Number]]:
    """Return all rows of a symmetric matrix, from the rows of its lower half."""
    whole = [dict(row) for row in rows]
    for i, row in enumerate(rows):
        for j, x in row.items():
            whole[j][i] = x
    return whole


@dataclass(frozen=True)
class Pattern:
    """The places of a matrix where the number can be nonzero: the columns of each row, in order.

    It prints as a picture in braille, with one dot for each place. In the picture of a large matrix, a dot means that
    at least one place in a square of places can be nonzero. Jupyter draws the pattern.

    >>> pattern = Pattern((4, 4), ((0, 1), (0, 1), (2,), (3,)))
    >>> pattern
    4 × 4, 6 of 16 can be nonzero (37.5%)
    [⠛⢄]
    >>> (2, 2) in pattern, (2, 3) in pattern, pattern.nnz
    (True, False, 6)
    """

    shape: tuple[int, int]
    rows: tuple[tuple[int, ...], ...]

    @property
    def nnz(self) -> int:
        """Return the number of places."""
        return sum(map(len, self.rows))

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Return whether the number at a row and a column can be nonzero."""
        i, j = place
        return 0 <= i < len(self.rows) and j in self.rows[i]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the places, row by row."""
        return ((i, j) for i, row in enumerate(self.rows) for j in row)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Return the places column by column, the order of a `csc_array`'s numbers."""
        columns: list[list[tuple[int, int]]] = [[] for _ in range(self.shape[1])]
        for i, row in enumerate(self.rows):
            for j in row:
                columns[j].append((i, j))
        return list(chain.from_iterable(columns))

    def csc_array(self, numbers: Iterable[float] | None = None) -> Any:
        """Return a `scipy.sparse.csc_array` with numbers at the places, column by column. The default is all ones.

        SciPy's `jac_sparsity` takes the matrix of ones.

        Raises:
            ImportError: SciPy is missing.
            ValueError: the counts of numbers and of places differ.

        >>> Pattern((2, 2), ((0, 1), (0,))).csc_array([1.0, 2.0, 3.0]).toarray().tolist()
        [[1.0, 3.0], [2.0, 0.0]]
        """
        import numpy as np

        found = np.array([1.0] * self.nnz if numbers is None else list(numbers), dtype=float)
        if len(found) != self.nnz:
            raise ValueError(f"csc_array: expected {counted(self.nnz, 'number')}, one for each place, not {len(found)}")
        return self._csc_array(found)

    def _csc_array(self, numbers: Any) -> Any:
        """Return a `csc_array` with an array of numbers as its `data`."""
        indices, starts = self._csc
        # Copy the indices, because SciPy's methods change them in place.
        made = require_scipy("a sparse array")((numbers, indices.copy(), starts.copy()), shape=self.shape)
        made.has_canonical_format = True
        return made

    @cached_property
    def _csc(self) -> tuple[Any, Any]:
        """Return the row of each place, column by column, and the index where each column begins."""
        import numpy as np

        columns = np.fromiter(chain.from_iterable(self.rows), dtype=np.int32, count=self.nnz)
        rows = np.repeat(np.arange(self.shape[0], dtype=np.int32), list(map(len, self.rows)))
        starts = np.zeros(self.shape[1] + 1, dtype=np.int32)
        np.cumsum(np.bincount(columns, minlength=self.shape[1]), out=starts[1:])
        return rows[np.argsort(columns, kind="stable")], starts

    def __str__(self) -> str:
        dots, (height, width) = self._reduced(DOTS)
        lines = [[0x2800] * max(-(-width // 2), 1) for _ in range(-(-height // 4))]
        for i, j in dots:
            lines[i // 4][j // 2] |= BRAILLE[i % 4][j % 2]
        whole = ["".join(map(chr, line)) for line in lines]
        left, right = ("[", "]") if len(whole) == 1 else ("⎡⎢⎣", "⎤⎥⎦")
        at = [0, *[1] * (len(whole) - 2), -1]
        return "\n".join([self._head(), *(left[k] + line + right[k] for k, line in zip(at, whole, strict=False))])

    def __repr__(self) -> str:
        return str(self)

    def _head(self) -> str:
        m, n = self.shape
        share = f" ({100 * self.nnz / (m * n):.3g}%)" if m * n else ""
        return f"{m:,} × {n:,}, {self.nnz:,} of {m * n:,} can be nonzero{share}"

    def _reduced(self, most: int) -> tuple[set[tuple[int, int]], tuple[int, int]]:
        """Return the places in a smaller picture, with at most so many rows and columns, and the shape of this."""
        m, n = self.shape
        k = max(-(-max(m, n) // most), 1)
        return {(i // k, j // k) for i, j in self}, (-(-m // k), -(-n // k))

    def svg(self) -> str:
        """Return the pattern as an SVG picture, with a square for each place."""
        from html import escape  # takes 1 ms to import

        cells, (height, width) = self._reduced(CELLS)
        size = max(4.0, min(16.0, 320.0 / max(height, width, 1)))
        squares = "".join(f"M{j} {i}h1v1h-1z" for i, j in sorted(cells))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width * size + 2:g}" '
            f'height="{height * size + 2:g}" viewBox="-0.1 -0.1 {width + 0.2:g} {height + 0.2:g}">'
            f"<title>{escape(self._head())}</title>"
            f'<path d="{squares}" fill="#2f74cf"/><rect width="{width}" height="{height}" fill="none" '
            'stroke="#6f7988" vector-effect="non-scaling-stroke"/></svg>'
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": str(self)}


class SparseMatrix:
    """A sparse matrix of Values. The Values are graphs, which you can draw, explain, differentiate and trace.

    `values` has the entries column by column, in the order of SciPy's `data`. An entry is a Value, or a float if it
    depends on nothing. `pattern` has the places of the entries. `m[i, j]` is an entry, or 0.0 if there is none.

    >>> x = Value(3.0, "x")
    >>> m = SparseMatrix([{0: x * x}, {0: 2.0, 1: x}], 2)
    >>> m.shape, m.nnz, m[0, 0], m[0, 1]
    ((2, 2), 3, Value(9.0, op='mul'), 0.0)
    >>> m @ [1.0, x]
    [Value(9.0, op='mul'), Value(11.0, op='add')]
    """

    def __init__(self, rows: Sequence[dict[int, Number]], width: int) -> None:
        self._rows = [dict(sorted(row.items())) for row in rows]
        self.shape = len(rows), width

    @cached_property
    def pattern(self) -> Pattern:
        """Return the places of the entries."""
        return Pattern(self.shape, tuple(tuple(row) for row in self._rows))

    @property
    def nnz(self) -> int:
        """Return the number of entries."""
        return self.pattern.nnz

    @property
    def values(self) -> list[Any]:
        """Return the entries, column by column."""
        return [self._rows[i][j] for i, j in self.pattern.places]

    def __getitem__(self, place: tuple[int, int]) -> Any:
        i, j = place
        m, n = self.shape
        if not (0 <= i < m and 0 <= j < n):
            raise IndexError(f"SparseMatrix: there is no place ({i}, {j}) in {m:,} × {n:,}")
        return self._rows[i].get(j, 0.0)

    def __matmul__(self, vector: Sequence[Any]) -> list[Any]:
        """Return the product with a vector of numbers or Values."""
        if len(vector) != self.shape[1]:
            raise ValueError(
                f"SparseMatrix: expected a vector of {counted(self.shape[1], 'number')}, not {len(vector)}"
            )
        return [total([x * vector[j] for j, x in row.items()]) if row else 0.0 for row in self._rows]

    def csc_array(self) -> Any:
        """Return the numbers of the entries as a `scipy.sparse.csc_array`.

        Raises:
            ImportError: SciPy is missing.
        """
        return self.pattern.csc_array([x.data if isinstance(x, Value) else x for x in self.values])

    def __repr__(self) -> str:
        return f"SparseMatrix, {self.pattern}"


# A sparse matrix is a container. The array of its entries is its only part, and its pattern is fixed. So the result of
# a trace or of a program has the pattern of the traced branches, and only the numbers are computed again.


def _taken_apart(matrix: SparseMatrix) -> tuple[tuple[Any], Pattern]:
    return (array(matrix.values, (matrix.nnz,)),), matrix.pattern


def _put_together(pattern: Pattern, parts: list[Any]) -> Any:
    """Return SciPy's matrix for an array of numbers, or a `SparseMatrix` for an array of Values."""
    (entries,) = parts
    if not is_array(entries) or entries.ndim != 1:
        raise TypeError(
            "a sparse matrix has one number at each place: for batches or derivatives, return its entries, `.values`"
        )
    if entries.dtype == float:
        return pattern._csc_array(entries)
    rows: list[dict[int, Number]] = [{} for _ in pattern.rows]
    for (i, j), x in zip(pattern.places, entries, strict=True):
        rows[i][j] = x
    return SparseMatrix(rows, pattern.shape[1])


register(Kind(SparseMatrix, _taken_apart, _put_together))
