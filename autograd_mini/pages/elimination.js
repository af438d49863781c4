"use strict";
// The elimination of the nodes of a graph, with the numbers that Python has; nothing here touches the page.
// `edges` are [user, parent, local derivative], in the order of their users; inputs are the first nodes.
function makeElimination({nodes, inputs, outputs, edges}) {
  const ORDERS = ["forward", "reverse", "markowitz"];
  const kept = new Set(outputs);

  // A graph: of each node the edges into it, a local derivative by the parent, and its users.
  function whole() {
    const into = new Map();
    const users = new Map(nodes.map((_, i) => [i, new Set()]));
    for (const [user, parent, weight] of edges) {
      if (!into.has(user)) into.set(user, new Map());
      into.get(user).set(parent, exact(weight));
      users.get(parent).add(user);
    }
    return {into, users};
  }
  const first = whole();
  const interior = [...first.into.keys()].filter(i => first.users.get(i).size);

  const degree = ({into, users}, i) => into.get(i).size * users.get(i).size;

  // The multiplications of removing a node: the edge from `parent` to `user` was `before`, undefined for a new one.
  function products({into, users}, i) {
    return [...users.get(i)].flatMap(user =>
      [...into.get(i)].map(([parent, inner]) => {
        const [before, outer] = [into.get(user).get(parent), into.get(user).get(i)];
        const product = outer * inner;
        return {parent, user, before, outer, inner, after: before === undefined ? product : before + product};
      }),
    );
  }

  // The graph without a node: its edges are edges from its parents to its users. Of an output the edges into it stay.
  function without(graph, i) {
    const into = new Map([...graph.into].map(([user, parents]) => [user, new Map(parents)]));
    const users = new Map([...graph.users].map(([node, some]) => [node, new Set(some)]));
    for (const {parent, user, after} of products(graph, i)) {
      into.get(user).set(parent, after);
      users.get(parent).add(user);
    }
    for (const user of users.get(i)) into.get(user).delete(i);
    users.get(i).clear();
    if (kept.has(i)) return {into, users};
    for (const parent of into.get(i).keys()) users.get(parent).delete(i);
    into.delete(i);
    return {into, users};
  }

  // The nodes that can still be removed, in the order in which they were computed.
  const left = ({users}) => interior.filter(i => users.get(i).size);
  const size = ({into}) => [...into.values()].reduce((n, parents) => n + parents.size, 0);

  function next(graph, order) {
    const some = left(graph);
    if (order === "forward") return some[0];
    if (order === "reverse") return some.at(-1);
    return some.reduce((best, i) => (degree(graph, i) < degree(graph, best) ? i : best), some[0]);
  }

  // The steps that remove some nodes: each with the graph before it and after it.
  function steps(chosen) {
    let graph = first;
    return chosen.map(node => {
      const step = {node, before: graph, products: products(graph, node), after: without(graph, node)};
      graph = step.after;
      return step;
    });
  }

  // All nodes in one of the three orders.
  function inOrder(order) {
    const chosen = [];
    for (let graph = first; left(graph).length; graph = without(graph, chosen.at(-1))) chosen.push(next(graph, order));
    return chosen;
  }

  // How many multiplications and additions some steps take.
  function cost(some) {
    const all = some.flatMap(step => step.products);
    return {multiplications: all.length, additions: all.filter(({before}) => before !== undefined).length};
  }

  const entry = ({into}, output, input) => (output === input ? 1 : (into.get(output)?.get(input) ?? 0));

  const isEnd = i => i < inputs || kept.has(i);
  const isThere = ({into}, i) => isEnd(i) || into.has(i);

  // Whether an edge is a derivative: from an input to an output, with no way besides.
  function isWhole({into}, user, parent) {
    if (parent >= inputs || !kept.has(user)) return false;
    const inner = i => [...(into.get(i)?.keys() ?? [])].filter(p => p >= inputs);
    const between = new Set(inner(user)); // grows while it is gone through
    for (const i of between) {
      if (into.get(i)?.has(parent)) return false;
      for (const p of inner(i)) between.add(p);
    }
    return true;
  }

  return {
    ORDERS,
    nodes,
    inputs,
    outputs,
    first,
    interior,
    degree,
    left,
    size,
    steps,
    inOrder,
    cost,
    entry,
    isThere,
    isWhole,
  };
}
