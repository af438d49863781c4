r"""A function's run on fresh leaves, and the linear map of its derivatives: all transformations use these.

This module owns `Run` and `Linear`. For numbers, a walk over the graph multiplies the edges' weights. If a derivative
may be differentiated again, the walk runs the rows' rules on the nodes, so the result is a graph. This module must not
know which derivatives a transformation returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from operator import attrgetter, itemgetter, mul
from types import NoneType
from typing import Any, SupportsFloat

from .choices import Factor, guards_of, handed, settled
from .edge_pushing import rule_of
from .edges import Edge, leading_to, pull
from .given import whole_argnums
from .node import primal
from .ops import identity, number, stop_gradient
from .printing import counted
from .settings import (
    Watch,
    differentiating,
    is_differentiating,
    is_recording,
    is_traced,
    recording,
    recording_limits,
    tell_derived,
    tell_entered,
    watched_by,
)
from .structure import LEAF, Structure, Tree, flatten, holds, kind_of, map_leaves
from .value import Number, Value
from .walks import topological_order


class Linear:
    r"""The part of a graph from inputs to outputs: the linear map of its derivatives.

    `pull` is the chain rule backward, and `push` forward. They work on numbers or, with `graph`, on Values.
    """

    def __init__(self, outputs: Sequence[Number], inputs: Sequence[Value], graph: bool) -> None:
        self.outputs = outputs  # an output may be a plain number, which depends on nothing
        self.inputs = inputs
        self._times: Callable[[Factor, Factor], Factor] = _passed if graph else mul
        self.active = leading_to(inputs, topological_order(*(z for z in outputs if isinstance(z, Value))))
        with recording_limits() if graph else nullcontext():
            tests = guards_of(outputs, list(self.active), rule_of) if graph else {}
            weight: Callable[[Edge], Factor] = partial(_factor, tests) if graph else attrgetter("weight")
            self.users = [  # `edge.alive` alone would do; the test of the weight avoids most calls
                (user, [(edge.parent, weight(edge)) for edge in edges if graph or edge.weight != 0.0 or edge.alive])
                for user, edges in self.active.items()
                if edges
            ]

    def pull(self, cotangents: Sequence[Number]) -> list[Number]:
        r"""Return the cotangents of the inputs, $\bar x = \sum_u \bar u \, \partial u / \partial x$."""
        held = self.cotangents(cotangents)
        return [held.get(x, 0.0) for x in self.inputs]

    def cotangents(self, cotangents: Sequence[Number]) -> dict[Value, Number]:
        """Return the cotangents of all nodes that a cotangent reaches."""
        held: dict[Value, Number] = {}
        for z, cotangent in zip(self.outputs, cotangents, strict=True):
            if isinstance(z, Value) and z in self.active and not _is_zero(cotangent):
                held[z] = held[z] + cotangent if z in held else cotangent
        pull(held, reversed(self.users), self._times)
        self._tell()
        return held

    def push(self, tangents: Sequence[Number]) -> list[Number]:
        r"""Return the tangents of the outputs, $\dot z = \sum_x \partial z / \partial x \, \dot x$."""
        held: dict[Value, Number] = {
            x: tangent for x, tangent in zip(self.inputs, tangents, strict=True) if not _is_zero(tangent)
        }
        for node, parents in self.users:
            for parent, weight in parents:
                if parent in held:
                    contribution = self._times(weight, held[parent])
                    held[node] = held[node] + contribution if node in held else contribution
        self._tell()
        return [held.get(z, 0.0) if isinstance(z, Value) else 0.0 for z in self.outputs]

    def _tell(self) -> None:
        """Report to the watch, if there is one, that the outputs were differentiated."""
        for z in self.outputs:
            if isinstance(z, Value):
                tell_derived(z)


def _is_zero(seed: Number) -> bool:
    """Return whether a seed is a plain 0. Nothing is computed from such a seed, not even 0 · inf."""
    return isinstance(seed, float) and seed == 0.0


def _factor(tests: dict[Value, Number], edge: Edge) -> Factor:
    """Return the factor of an edge: its local derivative, computed by the rule on the nodes."""
    assert edge.user.op is not None
    return handed(edge.user.op, edge.operand, rule_of(edge.user, edge.operand), tests.get(edge.user))


def _passed(x: Factor, y: Factor) -> Number:
    """Return the product of a derivative and the factor of an edge."""
    return settled(x * y)


# Running a function on fresh leaves.


class Run:
    """A run of a function on fresh leaves in place of its arguments, and the graph of the run."""

    def __init__(
        self,
        f: Callable[..., Tree],
        args: tuple[Tree, ...],
        kwargs: dict[str, Any],
        argnums: int | Sequence[int],
        has_aux: bool = False,
    ) -> None:
        self.name = getattr(f, "__name__", repr(f))
        whole = whole_argnums(self.name, argnums)
        single = isinstance(whole, int)
        picked = (whole,) if isinstance(whole, int) else whole
        for i in picked:
            if not -len(args) <= i < len(args):
                raise ValueError(
                    f"{self.name}: argnums={argnums}, but the call has {counted(len(args), 'positional argument')}"
                )
        picked = tuple(i % len(args) for i in picked)
        if len(set(picked)) != len(picked):
            raise ValueError(f"{self.name}: argnums={argnums} names an argument twice")
        chosen = args[picked[0]] if single else tuple(args[i] for i in picked)
        leaves, shape = flatten(chosen)
        owners = [leaf for leaf in leaves if type(leaf) is not float and _is_owner(leaf)]
        self.structure = flatten(chosen, owners=True)[1] if owners else shape
        given_values = holds((args, kwargs), Value)
        # In a trace, results must depend on the trace's inputs, so they are always graphs.
        self.graph = is_traced() or (is_recording() and (given_values or is_differentiating()))
        self._given_values = self.graph and given_values and not (is_traced() or is_differentiating())
        inside, owned = differentiating(), _Made(self.name, owners)
        with recording(), inside, watched_by(owned) if owners else nullcontext():
            parts = [leaf if owners and _is_owner(leaf) else _fresh(leaf, self.name) for leaf in leaves]
            self.inputs = flatten(parts, owners=True)[0] if owners else parts
            inside.state += self.inputs
            rebuilt = shape.rebuild(parts)
            args_in = list(args)
            for i, part in zip(picked, (rebuilt,) if single else rebuilt, strict=True):
                args_in[i] = part
            result = f(*args_in, **kwargs)
        self.aux: Tree = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(f"{self.name}: with has_aux it must return (output, aux), not {result!r}")
            result, self.aux = result
            if holds(self.aux, Value):
                self.aux = map_leaves(lambda leaf: self.show(leaf) if isinstance(leaf, Value) else leaf, self.aux)
        self.outputs, self.out_structure = flatten(result)
        self.outputs = [z if isinstance(z, Value) else number(f"{self.name}: its result", z) for z in self.outputs]
        owned.check(self.outputs)

    def with_aux(self, result: Any, has_aux: bool) -> Any:
        """Return a result or, with `has_aux`, the pair of the result and the function's aux."""
        return (result, self.aux) if has_aux else result

    def show(self, x: Number) -> Number:
        """Return a result in the caller's form: a Value of the graph, or a float."""
        if not isinstance(x, Value):
            return x
        if not self.graph:
            return primal(x)
        return x if is_recording() else stop_gradient(x)

    def value(self) -> Tree:
        """Return the result of the function."""
        return self.out_structure.rebuild(self.results([self.show(z) for z in self.outputs]))

    def results(self, numbers: list[Number]) -> list[Number]:
        """Return results in the caller's form. If the caller gave a Value, constants are Values, too."""
        return [Value(x) if isinstance(x, float) else x for x in numbers] if self._given_values else numbers

    def scalar(self) -> None:
        """Raise a TypeError if the output is not one number."""
        if self.out_structure != LEAF:
            advice = "return a number" if self.out_structure.kind is NoneType else "use jacobian, or sum the output"
            raise TypeError(f"{self.name}: the output must be one number, not {self.out_structure}; {advice}")

    @cached_property
    def linear(self) -> Linear:
        """The linear map of the derivatives, made at its first use."""
        return Linear(self.outputs, self.inputs, self.graph)

    def insist_on_dependence(self) -> None:
        """Raise a ValueError if no output depends on some input."""
        order = set(topological_order(*(z for z in self.outputs if isinstance(z, Value))))
        for i, x in enumerate(self.inputs):
            if x not in order:
                place = "the input" if self.structure == LEAF else f"input {i}, counted from 0, of {self.structure}"
                place = f"input {x.label}" if x.label else place
                raise ValueError(f"{self.name}: no output depends on {place} (strict=True)")


def _fresh(leaf: SupportsFloat, name: str) -> Value:
    """Return a new node for an argument, so other uses of the same Value do not count."""
    if isinstance(leaf, Value):
        x = identity(leaf)
        x.label = leaf.label
        tell_entered(x)
        return x
    return Value(number(f"{name}: an argument", leaf))


def _is_owner(leaf: object) -> bool:
    """Return whether an argument owns Values, like a module: derivatives are with respect to these."""
    return kind_of(type(leaf)) is not None


class _Made(Watch):
    """A watch that collects the nodes made by a function, if derivatives are with respect to parameters of modules.

    The parameters are the inputs themselves, not new nodes. So all nodes that depend on them must be made inside.
    """

    def __init__(self, name: str, owners: list[object]) -> None:
        self.name = name
        self.parameters = flatten(owners, owners=True)[0] if owners else []
        if len(set(self.parameters)) != len(self.parameters):
            raise ValueError(f"{name}: the same parameter is in two of the modules that are given")
        self.nodes: list[Value] = []
        self.made = self.nodes.append  # type: ignore[assignment, method-assign]

    def check(self, outputs: Sequence[Number]) -> None:
        """Raise a ValueError if an output uses a node that was computed from the parameters before the run."""
        if not self.parameters:
            return
        made, depends = set(self.nodes), set(self.parameters)
        for node in topological_order(*[z for z in outputs if isinstance(z, Value)]):
            if not depends.isdisjoint(node.parents):
                depends.add(node)
                if node not in made:
                    raise ValueError(
                        f"{self.name}: it uses {node.label or repr(node)}, which was computed from the module's "
                        "parameters outside of it: compute it inside, from the module that is given"
                    )


def as_states(tree: Tree) -> Tree:
    """Return a structure with the `state_dict` of each module in it."""
    leaves, structure = flatten(tree)
    return structure.rebuild(_state(leaf) if _is_owner(leaf) else leaf for leaf in leaves)


def _state(owner: object) -> object:
    values, structure = flatten(owner, owners=True)
    return structure.rebuild(x.data for x in values)


def matched(leaves: object, structure: Structure, what: str) -> list[Number]:
    """Flatten tangents or cotangents. They must have the structure of the primals or outputs.

    For a module, they have the structure of its `state_dict`, or they are a module with the same structure.
    """
    flat, given = flatten(leaves)
    if given != structure:
        places, wanted = flatten(structure.rebuild(range(structure.size)))
        flat, given = flatten(as_states(leaves))
        if given != wanted:
            raise TypeError(f"{what} must have the structure {wanted}, not {given}")
        flat = [x for _, x in sorted(zip(places, flat, strict=True), key=itemgetter(0))]
    return [x if isinstance(x, Value) else number(what, x) for x in flat]
