"use strict";
// The numbers and the sentences of a graph; nothing here touches the page.
function makeEngine(facts, rows) {
  const {nodes, terms, words, precision} = facts;
  const edges = facts.edges.map(edge => {
    const [user, parent] = [nodes[edge.user].bare, nodes[edge.parent].bare];
    const partial = `∂${user}/∂${parent}`; // the name of the local derivative
    return {...edge, partial, name: edge.shared ? partial : `d${user}/d${parent}`};
  });
  // A stage of rules stands for three: with rules, with numbers put in, and with numbers.
  const isRule = part => Array.isArray(part) && part[0] === "r";
  const lines = facts.lines.map(stages =>
    stages.flatMap(stage =>
      stage.some(isRule)
        ? ["r", "i", "w"].map(kind => stage.map(part => (isRule(part) ? [kind, ...part.slice(1)] : part)))
        : [stage],
    ),
  );
  const last = nodes.length - 1;
  const {PRODUCT, POWER, ATOM, general, format, number, bracketed, sum} = makeTexts(precision);
  const leaves = nodes.flatMap((node, i) => (node.leaf ? [i] : []));
  const size = Math.max(
    0,
    ...[...nodes.map(node => node.value), ...edges.map(edge => edge.weight)].filter(Number.isFinite).map(Math.abs),
  );
  const rounding = 1e-13 * Math.min(size, 1e3); // of numbers as large as those of this graph
  function far(x, y) {
    if (Object.is(x, y) || x === y) return false;
    const apart = Math.abs(x - y);
    return !(apart < Infinity && apart <= 1e-9 * Math.max(Math.abs(x), Math.abs(y)) + rounding);
  }

  // Numbers.

  // The values of all nodes at numbers of leaves.
  function valuesOf(given) {
    const values = [];
    nodes.forEach((node, i) => {
      values[i] = node.leaf
        ? (given[i] ?? exact(node.value))
        : rows[node.row].value(...node.edges.map(e => values[edges[e].parent]));
    });
    return values;
  }

  // A run: all numbers for an output, a leaf that forward mode follows, the leaves' numbers, and perhaps a wrong pass.
  function run({given = {}, output = last, leaf = leaves[0], wrong = null, recorded = false} = {}) {
    const values = recorded ? nodes.map(node => exact(node.value)) : valuesOf(given);
    const weights = edges.map(edge => exact(edge.weight));
    const formulas = edges.map(edge => edge.formula); // whether the rule's formula gives the weight
    if (!recorded) {
      nodes.forEach((node, i) => {
        const xs = node.edges.map(e => values[edges[e].parent]);
        // Outside the row's domain there is no slope, whatever its formula gives.
        const outside = Number.isNaN(values[i]) && xs.every(Number.isFinite);
        node.edges.forEach((e, k) => {
          const row = rows[node.row];
          weights[e] = outside ? NaN : row.slopes[k](...xs, values[i]);
          formulas[e] = !outside && (!row.formulas || !far(row.formulas[k](...xs, values[i]), weights[e]));
        });
      });
    }
    const now = {values, weights, formulas, output, leaf, wrong, recorded, used: ancestors(output)};
    now.alive = aliveOf(now);
    now.steps = passOf(now, wrong);
    now.uses = nodes.map(() => 0);
    for (const {edge} of now.steps) now.uses[edges[edge].parent]++;
    now.slopes = slopesAfter(now, now.steps.length);
    now.tangents = tangentsOf(now, leaf);
    return now;
  }

  // The nodes that a node is computed from, itself too.
  function ancestors(output) {
    const used = nodes.map(() => false);
    used[output] = true;
    for (let i = output; i >= 0; i--) if (used[i]) for (const e of nodes[i].edges) used[edges[e].parent] = true;
    return used;
  }

  // Along which edges a derivative of the output goes: to the side of a choice that is not chosen none does.
  function aliveOf({output, weights}) {
    const reached = nodes.map((_, i) => i === output);
    const alive = edges.map(() => false);
    for (let i = output; i >= 0; i--) {
      for (const e of reached[i] ? nodes[i].edges : []) {
        alive[e] = edges[e].passes && isChosen(weights, e);
        reached[edges[e].parent] ||= alive[e];
      }
    }
    return alive;
  }
  const isChosen = (weights, e) => !edges[e].chooses || weights[e] !== 0;

  // The steps of the backward pass: from the output to the first node, operands in order; or those of a wrong pass.
  function passOf({output, used}, wrong) {
    const reached = new Set([output]);
    const steps = [];
    const right = () => {
      const all = [];
      for (let i = output; i >= 0; i--) for (const e of nodes[i].edges) all.push([e, e, 1]);
      return all;
    };
    for (const [edge, factor, sign] of wrong ? wrong.steps : right()) {
      const {user, parent, passes} = edges[edge];
      if (!passes || !used[user] || (!wrong && !reached.has(user))) continue;
      reached.add(parent);
      steps.push({edge, factor, sign});
    }
    return steps;
  }

  const factorOf = (now, {factor, sign}) => sign * (factor === null ? 1 : now.weights[factor]);

  function slopesAfter(now, count) {
    const {wrong, output} = now;
    const slopes = wrong?.again ? run({...now, given: leavesOf(now), wrong: null}).slopes : nodes.map(() => 0);
    slopes[output] = 1;
    for (const step of now.steps.slice(0, count)) {
      const {user, parent} = edges[step.edge];
      if (!now.alive[step.edge]) continue;
      slopes[parent] = (wrong?.assigns ? 0 : slopes[parent]) + slopes[user] * factorOf(now, step);
    }
    return slopes;
  }

  const leavesOf = now => Object.fromEntries(leaves.map(i => [i, now.values[i]]));

  // The derivatives of all nodes with respect to a leaf, and which of them depend on it.
  function tangentsOf(now, leaf) {
    const tangents = nodes.map((_, i) => Number(i === leaf));
    nodes.forEach((node, i) => {
      if (!node.leaf)
        tangents[i] = ways(now, i, leaf)
          .filter(e => isChosen(now.weights, e))
          .reduce((sum, e) => sum + now.weights[e] * tangents[edges[e].parent], 0);
    });
    return tangents;
  }

  const reachedFrom = leaf => {
    const reached = nodes.map((_, i) => i === leaf);
    nodes.forEach((node, i) => {
      if (node.edges.some(e => edges[e].passes && reached[edges[e].parent])) reached[i] = true;
    });
    return reached;
  };
  const fromLeaf = {};
  const depends = leaf => (fromLeaf[leaf] ??= reachedFrom(leaf));
  // Whether an edge on a way from a leaf to the output passes no derivative.
  function stops(now, leaf) {
    const reached = nodes.map((_, i) => i === leaf);
    return nodes.some((node, i) => {
      const some = node.edges.filter(e => reached[edges[e].parent]);
      reached[i] ||= some.length > 0;
      return now.used[i] && some.some(e => !edges[e].passes);
    });
  }

  const ways = (now, i, leaf) => nodes[i].edges.filter(e => edges[e].passes && depends(leaf)[edges[e].parent]);

  // How many multiplications each mode takes, as Python's `work` counts them: one for each edge on a way from a leaf to
  // the output, but where it begins at the leaf that is followed, or in reverse mode ends at the output: the other
  // factor is 1 there. Several edges between the same two nodes are one.
  function counts(now) {
    const lines = [
      ...new Map(now.steps.map(({edge: e}) => [`${edges[e].user} ${edges[e].parent}`, edges[e]])).values(),
    ];
    const used = leaves.filter(i => now.used[i]);
    const forward = leaf => lines.filter(({parent}) => parent !== leaf && depends(leaf)[parent]).length;
    const isReached = i => used.some(leaf => depends(leaf)[i]);
    return {
      reverse: lines.filter(({user, parent}) => user !== now.output && isReached(parent)).length,
      one: forward(now.leaf),
      all: used.reduce((n, leaf) => n + forward(leaf), 0),
      leaves: used.length,
    };
  }

  // Does the page compute what the engine did? If not, it must not compute at all.
  function differs() {
    const then = run({recorded: true});
    const now = run();
    return then.values.some((x, i) => far(x, now.values[i])) || then.weights.some((x, i) => far(x, now.weights[i]));
  }

  // Texts.

  const atom = text => ({text, level: ATOM});
  const distinct = texts => texts.filter((text, i) => i === 0 || text !== texts[i - 1]);
  const stages = texts => distinct(texts).join(" = ");
  const slopeName = (now, i) => `d${nodes[now.output].bare}/d${nodes[i].bare}`;
  const tangentName = (now, i) => `d${nodes[i].bare}/d${nodes[now.leaf].bare}`;
  const say = (key, holes = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => holes[name]);
  const shortened = (items, most) =>
    items.length <= most ? items : [...items.slice(0, most / 2), null, ...items.slice(-most / 2)];
  const listed = (items, write) =>
    shortened(items, 6)
      .map(x => (x === null ? "…" : write(x)))
      .join(", ");

  // What stands in a hole.
  function held(now, [what, which], scope) {
    const i = typeof which === "string" ? scope[which] : which;
    switch (what) {
      case "v":
        return number(now.values[i]);
      case "s":
        return number((scope.slopes ?? now.slopes)[i]);
      case "t":
        return number(now.tangents[i]);
      case "w":
        return number(now.weights[i]);
      case "r":
        return edges[i].symbol && now.formulas[i] ? piece(now, edges[i].symbol, scope) : number(now.weights[i]);
      case "i":
        return edges[i].numbers && now.formulas[i] && Number.isFinite(now.weights[i])
          ? piece(now, edges[i].numbers, scope)
          : number(now.weights[i]);
      case "D":
        return atom(slopeName(now, i));
      case "T":
        return atom(tangentName(now, i));
      case "E":
        return atom(scope.isPart ? edges[i].partial : edges[i].name);
    }
  }
  const fill = (now, template, scope = {}) =>
    template.map(part => (typeof part === "string" ? part : bracketed(held(now, part, scope), part[2]))).join("");
  function piece(now, [template, level], scope) {
    const alone = template.length === 1 && typeof template[0] !== "string";
    return alone ? held(now, template[0], scope) : {text: fill(now, template, scope), level};
  }
  const filled = (now, templates) => distinct(templates.map(template => fill(now, template)));

  const forwardStages = (now, i) => filled(now, nodes[i].forward);
  const forward = (now, i) => forwardStages(now, i).join(" = ");

  // A sum over edges in stages: with names, with rules, with numbers put in, with numbers.
  function overEdges(now, found, scope = {}) {
    return [0, 1, 2, 3].map(
      k =>
        sum(
          found.map(({edge, kind}) => {
            const {user, parent} = edges[edge];
            const template = terms[kind][k];
            return piece(now, [template, template.length === 1 ? ATOM : PRODUCT], {...scope, edge, user, parent});
          }),
        ).text,
    );
  }

  // The derivative of a node by the edges to its users, for whatever output.
  function slopeStages(now, i) {
    const found = now.steps
      .filter(({edge}) => edges[edge].parent === i)
      .map(({edge}) => ({edge, kind: edges[edge].user === now.output ? "first" : "reverse"}));
    const sums = found.length && i !== now.output ? overEdges(now, found) : [];
    return distinct([slopeName(now, i), ...sums, format(now.slopes[i])]);
  }

  const derivation = (now, i) =>
    now.output === last
      ? nodes[i].derivation.map(k => (k === null ? "… = …" : filled(now, lines[k]).join(" = "))).join("\n")
      : slopeStages(now, i).join(" = ");

  function tangentStages(now, i) {
    const found = ways(now, i, now.leaf).map(edge => ({
      edge,
      kind: edges[edge].parent === now.leaf ? "first" : "forward",
    }));
    const sums = found.length ? overEdges(now, found) : [];
    return distinct([tangentName(now, i), ...sums, format(now.tangents[i])]);
  }
  const tangent = (now, i) => tangentStages(now, i).join(" = ");

  // Why a node has no value, or an infinite one.
  function trouble(now, i) {
    const {name, leaf, needs = [], edges: into} = nodes[i];
    const operands = into.map(e => now.values[edges[e].parent]);
    const because = (key, some) =>
      some.length ? say(key, {node: name, needs: some.map(({text}) => text).join(", ")}) : "";
    if (Math.abs(now.values[i]) === Infinity && operands.every(Number.isFinite))
      return because(
        "pole",
        needs.filter(({of, ends}) => ends.includes(now.values[of])),
      );
    if (!Number.isNaN(now.values[i])) return "";
    return leaf || operands.some(Number.isNaN) ? say("no number", {node: name}) : because("outside", needs);
  }

  // Steps.

  // The values first, then one of the two modes.
  function timeline(now, direction = "reverse") {
    const values = nodes.flatMap((node, i) => (node.leaf || !now.used[i] ? [] : [{phase: "value", node: i}]));
    const reverse = () => [
      {phase: "seed", node: now.output},
      ...now.steps.map((step, k) => ({phase: "reverse", node: edges[step.edge].user, edge: step.edge, k})),
      {phase: "end"},
    ];
    const onward = () => [
      {phase: "leaf", node: now.leaf},
      ...nodes.flatMap((node, i) =>
        node.leaf || !now.used[i] || !depends(now.leaf)[i] ? [] : [{phase: "forward", node: i}],
      ),
      {phase: "forward end"},
    ];
    return [{phase: "start"}, ...values, ...(direction === "forward" ? onward() : reverse())];
  }
  const isOfMode = step => !["start", "value"].includes(step.phase);

  // Which values and tangents are known after a step, and of each derivative the sum so far and its edges.
  let memory = {};
  function known(now, line, at) {
    if (memory.now !== now || memory.line !== line || memory.at !== at)
      memory = {now, line, at, found: found(now, line, at)};
    return memory.found;
  }

  function found(now, line, at) {
    const passed = line.slice(0, at + 1);
    const phases = new Set(passed.map(step => step.phase));
    const done = nodes.map(node => node.leaf);
    const tangents = nodes.map((_, i) => phases.has("leaf") && (nodes[i].leaf || !depends(now.leaf)[i]));
    for (const step of passed) {
      if (step.phase === "value") done[step.node] = true;
      if (step.phase === "forward") tangents[step.node] = true;
    }
    const count = passed.filter(step => step.phase === "reverse").length;
    const added = nodes.map(() => 0);
    for (const {edge} of now.steps.slice(0, count)) added[edges[edge].parent]++;
    const end = phases.has("end");
    const seeded = phases.has("seed");
    const isLeft = seeded && Boolean(now.wrong?.again); // whether the derivatives of a pass before are still there
    const slopes = nodes.map((_, i) => end || isLeft || (seeded && (i === now.output || added[i] > 0)));
    const whole = nodes.map((_, i) => slopes[i] && (end || isLeft || i === now.output || added[i] === now.uses[i]));
    const arrows = edges.map(({user}) => end || phases.has("forward end") || (phases.has("leaf") && tangents[user]));
    for (const step of passed) if (step.phase === "reverse") arrows[step.edge] = true;
    return {done, added, slopes, whole, tangents, arrows, sums: slopesAfter(now, count)};
  }

  function sentence(now, line, at) {
    const step = line[at];
    const {node} = step;
    const output = nodes[now.output].name;
    const leaf = nodes[now.leaf].name;
    const used = leaves.filter(i => now.used[i]);
    switch (step.phase) {
      case "start":
        return say("start", {list: listed(used, i => forward(now, i))});
      case "value":
        return [forward(now, node), trouble(now, node)].filter(Boolean).join(". ");
      case "seed":
        return say("seed", {slope: slopeName(now, node)});
      case "end":
        return say(now.wrong ? "end of wrong" : "end", {
          list: listed(used, i => `${slopeName(now, i)} = ${format(now.slopes[i])}`),
        });
      case "leaf":
        return say("follow", {tangent: tangentName(now, node)});
      case "forward":
        return tangent(now, node);
      case "forward end":
        return say(depends(now.leaf)[now.output] ? "forward end" : "no way", {
          leaf,
          output,
          tangent: tangentName(now, now.output),
          number: format(now.tangents[now.output]),
        });
    }
    return handedOn(now, line, at);
  }

  // One step of the backward pass in words.
  function handedOn(now, line, at) {
    const {edge, k} = line[at];
    const {user, parent} = edges[edge];
    const [before, after] = [known(now, line, at - 1), known(now, line, at)];
    const step = now.steps[k];
    const arrived = before.sums[user];
    const part = arrived * factorOf(now, step);
    const isRight = step.factor === edge && step.sign === 1;
    const inNumbers = [number(arrived), number(factorOf(now, step))].map(x => bracketed(x, POWER)).join(" · ");
    const kind = user === now.output ? "first" : "reverse";
    const sums = isRight
      ? overEdges(now, [{edge, kind}], {slopes: before.sums, isPart: Boolean(now.wrong?.again)})
      : [inNumbers];
    const terms = stages([...sums, format(part)]);

    const [slope, m, n] = [slopeName(now, parent), now.uses[parent], after.added[parent]];
    const {assigns, again} = now.wrong ?? {};
    if (assigns || (m === 1 && !again)) return stages([slope, ...sums, format(part)]);
    const total = format(after.sums[parent]);
    const added = `${sum([number(before.sums[parent]), number(part)]).text} = ${total}`;
    if (again) return say("left over", {slope, terms, sums: added});
    const news = say(n < m ? "so far" : "all added", {slope, sums: n === 1 ? total : added, n, m});
    return say("passed", {slope, terms, news});
  }

  // What is told of a node at a step: nothing before its time.
  const valueAt = (now, line, at, i) => (known(now, line, at).done[i] ? format(now.values[i]) : "?");

  function slopeAt(now, line, at, i) {
    const {slopes, whole, added, sums} = known(now, line, at);
    if (!slopes[i]) return "?";
    return whole[i] ? format(sums[i]) : say("part", {number: format(sums[i]), n: added[i], m: now.uses[i]});
  }

  function told(now, line, at, i) {
    const there = known(now, line, at);
    const mode = line.some(step => step.phase === "leaf");
    const [name, ...rule] = nodes[i].forward.slice(0, -1);
    const first = there.done[i]
      ? forward(now, i)
      : [...[name, ...rule.slice(0, 1)].map(x => fill(now, x)), "?"].join(" = ");
    const second = mode
      ? there.tangents[i]
        ? tangent(now, i)
        : `${tangentName(now, i)} = ?`
      : there.whole[i]
        ? derivation(now, i)
        : `${slopeName(now, i)} = ${slopeAt(now, line, at, i)}`;
    return [first, there.done[i] ? trouble(now, i) : "", second].filter(Boolean).join("\n");
  }

  return {
    last,
    leaves,
    edges,
    nodes,
    run,
    valuesOf,
    depends,
    ways,
    stops,
    counts,
    differs,
    general,
    format,
    number,
    fill,
    distinct,
    say,
    stages,
    forward,
    derivation,
    slopeStages,
    tangent,
    tangentStages,
    forwardStages,
    trouble,
    timeline,
    isOfMode,
    known,
    sentence,
    valueAt,
    slopeAt,
    told,
    slopeName,
    tangentName,
    far,
    factorOf,
  };
}
