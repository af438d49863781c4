"use strict";
// The wrong rules that give a wrong answer; nothing here touches the page.
function makeDiagnosis(engine, facts) {
  const {nodes, edges, say, slopeName, tangentName, format, factorOf, ways, fill} = engine;
  const FEW = 6; // edges, up to which all parts of their sum are tried
  const mistake = name => facts.mistakes.find(found => found.name === name);

  // The wrong numbers, the likeliest first: [number, key of a sentence, its holes, key of the sentence below].
  function of(now, question, known, sign) {
    return {value: ofValue, arrow: ofArrow, slope: ofSlope, tangent: ofTangent}[question.kind](
      now,
      question,
      known,
      sign,
    );
  }

  const nameOf = i => nodes[i].name;
  const value = (i, by, of) => [
    i.value,
    "value not slope",
    {node: nameOf(i.node), by: nameOf(by), of: nameOf(of)},
    "value not slope more",
  ];

  function* ofValue(now, {node}, known, sign) {
    const xs = nodes[node].edges.map(e => edges[e].parent);
    const rule = engine.forwardStages(now, node)[1];
    for (const i of new Set([...xs, ...engine.leaves.filter(i => now.used[i])]))
      yield [now.values[i], "operand", {node: nameOf(i), rule}, "operand more"];
    if (xs.length !== 2) return yield sign;
    const [a, b] = xs.map(i => now.values[i]);
    if (a - b === now.values[node]) yield [b - a, "exchange", {rule}, "operation more"];
    if (a / b === now.values[node]) yield [b / a, "exchange", {rule}, "operation more"];
    yield sign;
    const results = {add: a + b, multiply: a * b, subtract: a - b, divide: a / b};
    for (const [key, wrong] of Object.entries(results)) yield [wrong, key, {rule}, "operation more"];
  }

  function* ofArrow(now, {edge}, known, sign) {
    const {user, parent, partial} = edges[edge];
    const holes = {user: nameOf(user), parent: nameOf(parent), edge: partial};
    yield sign; // before the other factor: in a difference both are 1 in size
    for (const e of nodes[user].edges)
      if (edges[e].parent !== parent)
        yield [now.weights[e], "other factor", {...holes, other: nameOf(edges[e].parent)}, "other factor more"];
    const parallel = nodes[user].edges.filter(e => edges[e].parent === parent);
    yield [parallel.reduce((sum, e) => sum + now.weights[e], 0), "parallel", holes, "parallel more"];
    for (const i of [user, parent]) yield value({value: now.values[i], node: i}, parent, user);
  }

  function* ofSlope(now, {node}, known, sign) {
    const found = now.steps.map(({edge}) => edge).filter(e => edges[e].parent === node);
    const part = e => now.slopes[edges[e].user] * now.weights[e];
    const via = e =>
      edges[e].user === now.output ? say("direct", {output: nameOf(now.output)}) : nameOf(edges[e].user);
    yield* partsOf(found, part, via);
    yield sign;
    yield* wrongHere(now, node, found, sign);
    const steps = found.map(edge => {
      const {user} = edges[edge];
      return {edge, arrived: now.slopes[user], upstream: slopeName(now, user)};
    });
    yield* alongEdges(now, steps);
    if (new Set(found.map(via)).size === 1 && found.length > 1) {
      const [{edge, arrived, upstream}] = steps;
      const local = found.reduce((sum, e) => sum + now.weights[e], 0);
      const holes = {edge: edges[edge].partial, upstream, number: format(arrived)};
      yield [local, "local alone", holes, "local alone more"];
    }
    yield value({value: now.values[node], node}, node, now.output);
    for (const i of nodes.keys())
      if (known.whole[i] && i !== node && now.slopes[i] !== 0)
        yield [
          now.slopes[i],
          "other slope",
          {slope: slopeName(now, i), asked: slopeName(now, node)},
          "other slope more",
        ];
    const given = Object.fromEntries(engine.leaves.map(i => [i, now.values[i]]));
    for (const wrong of facts.mistakes.filter(({again}) => !again))
      yield [engine.run({...now, given, wrong}).slopes[node], "mistake", wrong, "mistake more"];
  }

  // A sum without some of its parts; the last part alone is left where each overwrites the one before.
  function* partsOf(found, part, via) {
    const m = found.length;
    if (m < 2) return;
    if (new Set(found.map(via)).size > 1)
      yield [part(found.at(-1)), "overwritten", {kept: via(found.at(-1))}, "overwritten more"];
    const subsets =
      m > FEW ? found.map((_, k) => [k]) : Array.from({length: 2 ** m - 2}, (_, bits) => bitsOf(bits + 1, m));
    for (const some of subsets) {
      const left = found.filter((_, k) => !some.includes(k));
      const [missing, kept] = [some.map(k => via(found[k])), left.map(via)];
      const names = [...new Set(missing)];
      const sum = left.reduce((sum, e) => sum + part(e), 0);
      // Of several arrows between the same two nodes some are there: then it is an arrow that is missing, and no path.
      if (names.length === 1 && kept.includes(names[0])) {
        const {parent, user} = edges[found[some[0]]];
        const n = found.map(via).filter(name => name === names[0]).length;
        yield [sum, "one arrow", {n, parent: nameOf(parent), user: nameOf(user)}, "one arrow more"];
      } else yield [sum, "missing path", {missing: names.join(", "), m}, "missing path more"];
    }
  }
  const bitsOf = (bits, m) => Array.from({length: m}, (_, k) => k).filter(k => (bits >> k) & 1);

  // The wrong rules at this node alone, where all before it is right.
  function* wrongHere(now, node, found, sign) {
    for (const name of ["wrong sign", "swapped factors", "no local derivative"]) {
      const {steps, does} = mistake(name);
      const own = steps.filter(([edge]) => edges[edge].parent === node && now.used[edges[edge].user]);
      const changed = own.find(([edge, factor, sign]) => factor !== edge || sign !== 1);
      if (!changed || own.length !== found.length) continue;
      const wrong = own.reduce(
        (sum, [edge, factor, sign]) => sum + now.slopes[edges[edge].user] * factorOf(now, {factor, sign}),
        0,
      );
      const [edge] = changed;
      const holes = {edge: edges[edge].partial, rule: fill(now, [["r", edge, 0]]), does};
      const upstream = slopeName(now, edges[edge].user);
      if (name === "wrong sign") yield [wrong, ...sign.slice(1)];
      else if (name === "swapped factors") yield [wrong, "swapped", holes, "swapped more"];
      else if (found.length === 1) yield [wrong, "not crossed", {...holes, upstream}, "not crossed more"];
      else yield [wrong, "mistake", holes, "mistake more"];
    }
  }

  function* ofTangent(now, {node}, known, sign) {
    const found = ways(now, node, now.leaf);
    yield* partsOf(
      found,
      e => now.weights[e] * now.tangents[edges[e].parent],
      e => nameOf(edges[e].parent),
    );
    yield sign;
    const steps = found.map(edge => {
      const {parent} = edges[edge];
      return {edge, arrived: now.tangents[parent], upstream: tangentName(now, parent)};
    });
    yield* alongEdges(now, steps);
    yield value({value: now.values[node], node}, now.leaf, node);
    const holes = {slope: slopeName(now, node), asked: tangentName(now, node)};
    if (node !== now.output) yield [now.slopes[node], "other slope", holes, "other slope more"];
  }

  // Slips along one edge: a factor alone, or another operation than a product.
  function* alongEdges(now, steps) {
    for (const {edge, arrived, upstream} of steps) {
      const local = now.weights[edge];
      const holes = {edge: edges[edge].partial, upstream, number: format(arrived)};
      yield [local, "local alone", holes, "local alone more"];
      yield [arrived, "not crossed", holes, "not crossed more"];
      if (steps.length === 1) yield [arrived + local, "sum", holes, "sum more"];
      yield [arrived / local, "quotient", holes, "quotient more"];
      yield [local / arrived, "quotient", holes, "quotient more"];
    }
  }

  return {of};
}
