"use strict";
// The questions on a graph, and the diagnosis of wrong answers; nothing here touches the page.
function makeQuiz(engine, facts) {
  const {nodes, edges, say, slopeName, tangentName, format, number, written, far, factorOf} = engine;
  const MOST = 24; // questions of a quiz
  const {vocabularyOf, parse, nodeNamed, same} = makeAnswers(engine);

  // Questions.

  const missing = (known, i) => nodes[i].edges.map(e => edges[e].parent).filter(p => !known.done[p]);
  const waiting = (now, known, i) =>
    now.steps.filter(({edge}) => edges[edge].parent === i && !known.arrows[edge]).map(({edge}) => edges[edge].user);

  // The nodes that a pass may take next.
  function ready(now, line, at) {
    const known = engine.known(now, line, at);
    const phase = line[at + 1].phase;
    if (phase === "value")
      return nodes.flatMap((node, i) => (now.used[i] && !known.done[i] && !missing(known, i).length ? [i] : []));
    const gone = new Set(
      line
        .slice(0, at + 1)
        .filter(step => step.phase === "reverse")
        .map(step => step.node),
    );
    return nodes.flatMap((node, i) => (known.whole[i] && !node.leaf && !gone.has(i) ? [i] : []));
  }

  // Whether a question for the next node has a wrong answer among the nodes that still wait.
  function isChoice(now, line, at) {
    const phase = line[at + 1].phase;
    const left = new Set(
      line
        .slice(at + 1)
        .filter(step => step.phase === phase)
        .map(step => step.node),
    );
    return left.size > ready(now, line, at).length;
  }

  // All questions of a timeline; each is asked before the step `at` is shown.
  function all(now, line) {
    const found = [];
    const asked = {value: 0, reverse: 0};
    line.forEach((step, at) => {
      const {phase, node, edge} = step;
      const begins = at > 0 && !(line[at - 1].phase === phase && line[at - 1].node === node);
      if (phase in asked && asked[phase] < 2 && begins && isChoice(now, line, at - 1)) {
        asked[phase]++;
        found.push({kind: "next", at, phase});
      }
      if (phase === "value") found.push({kind: "value", at, node});
      if (phase === "forward") found.push({kind: "tangent", at, node});
      if (phase !== "reverse") return;
      const {parent} = edges[edge];
      found.push({kind: "arrow", at, edge});
      if (engine.known(now, line, at).whole[parent]) found.push({kind: "slope", at, node: parent, edge});
    });
    return found;
  }

  // A generator of numbers from 0 to 1, the same for the same seed (mulberry32).
  function dice(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let x = Math.imul(state ^ (state >>> 15), state | 1);
      x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
      return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
    };
  }

  // The questions of a quiz: all, or where there are many as many as can be answered, in order.
  function questions(now, line, {most = MOST, seed = 0} = {}) {
    const found = all(now, line);
    if (found.length <= most) return found;
    const roll = dice(seed ?? 0);
    const keys = found.map(() => roll());
    const kept = new Set(
      found
        .map((_, i) => i)
        .sort((i, j) => keys[i] - keys[j])
        .slice(0, most),
    );
    return found.filter((_, i) => kept.has(i));
  }

  function ask(now, question) {
    const {kind, node, edge, phase} = question;
    const {name, user, parent} = edge === undefined ? {} : edges[edge];
    switch (kind) {
      case "value":
        return say("ask value", {node: nodes[node].name});
      case "next":
        return say(phase === "value" ? "ask next values" : "ask next reverse");
      case "arrow": {
        const parallel = nodes[user].edges.filter(e => edges[e].parent === parent);
        const holes = {edge: name, parent: nodes[parent].name, user: nodes[user].name, k: parallel.indexOf(edge) + 1};
        return say(parallel.length > 1 ? "ask nth arrow" : "ask arrow", {...holes, n: parallel.length});
      }
      case "tangent":
        return say("ask tangent", {tangent: tangentName(now, node)});
    }
    const m = now.uses[node];
    return say(m > 1 ? "ask total" : "ask slope", {slope: slopeName(now, node), m});
  }

  function answer(now, {kind, node, edge}) {
    switch (kind) {
      case "value":
        return now.values[node];
      case "arrow":
        return now.weights[edge];
      case "slope":
        return now.slopes[node];
      case "tangent":
        return now.tangents[node];
    }
    return null;
  }

  // The whole answer, written out in stages.
  function solution(now, line, question) {
    const {kind, node, edge, at} = question;
    switch (kind) {
      case "value":
        return engine.forwardStages(now, node);
      case "arrow":
        return engine.distinct([edges[edge].name, ...["r", "i", "w"].map(what => engine.fill(now, [[what, edge, 0]]))]);
      case "slope":
        return engine.slopeStages(now, node);
      case "tangent":
        return engine.tangentStages(now, node);
    }
    const names = ready(now, line, at - 1).map(i => nodes[i].name);
    return [names.join(", ")];
  }

  // The diagnosis.

  const verdict = (right, key, holes = {}, more = key === "right" ? "" : `${key} more`) => ({
    right,
    title: say(key, holes),
    text: more && more in facts.words ? say(more, holes) : "",
  });

  // The names that may be used in an answer: of numbers that are told before the question.
  function vocabulary(now, line, {at, kind, edge}) {
    const known = engine.known(now, line, at - 1);
    const isTold = {
      number: () => true,
      value: i => known.done[i],
      weight: e => known.arrows[e] || (kind === "slope" && e === edge),
      slope: i => known.whole[i],
      tangent: i => known.tangents[i],
    };
    return vocabularyOf(now, (what, i) => isTold[what](i));
  }

  function check(now, line, question, text) {
    if (question.kind === "next") return checkNext(now, line, question, text);
    const {value, names, problem} = parse(text, vocabulary(now, line, question));
    const right = answer(now, question);
    if (problem) return verdict(false, problem, {text: escaped(text), example: example(now)});
    const given = value(now);
    if (!same(given, right)) return diagnose(now, line, question, given);
    if (names && !now.recorded) {
      const moved = elsewhere(now);
      const [x, y] = [value(moved), answer(moved, question)];
      if (!Number.isNaN(y) && !same(x, y))
        return {...verdict(false, "right by chance", {name: nameOf(now, question)}), chance: true};
    }
    return verdict(true, "right");
  }

  const escaped = text => text.slice(0, 40).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
  const example = now => {
    const leaf = engine.leaves.find(i => now.used[i]);
    return `2${nodes[leaf].name}`;
  };
  const nameOf = (now, {kind, node, edge}) =>
    kind === "arrow"
      ? edges[edge].name
      : kind === "value"
        ? nodes[node].name
        : kind === "tangent"
          ? tangentName(now, node)
          : slopeName(now, node);

  // The same graph at other leaves, where equal formulas stay equal.
  function elsewhere(now) {
    const given = Object.fromEntries(
      engine.leaves.map((i, k) => [i, now.values[i] * (1.07 + 0.011 * (k % 7)) + 0.013 * (1 + (k % 5))]),
    );
    return engine.run({...now, given});
  }

  function checkNext(now, line, question, text) {
    const i = typeof text === "number" ? text : nodeNamed(text);
    if (i < 0 || !now.used[i]) return verdict(false, "no node");
    const before = engine.known(now, line, question.at - 1);
    const isValue = question.phase === "value";
    const choices = ready(now, line, question.at - 1);
    const node = nodes[i].name;
    if (choices.includes(i)) {
      const first = line[question.at].node;
      return i === first ? verdict(true, "right") : verdict(true, "right next other", {node: nodes[first].name});
    }
    const lacking = isValue ? missing(before, i) : waiting(now, before, i);
    if (!lacking.length) return verdict(false, "known already", {node});
    const names = [...new Set(lacking)].map(k => nodes[k].name).join(", ");
    return verdict(false, "too early", {node, missing: names}, isValue ? "too early values" : "too early reverse");
  }

  // The wrong rules that give a wrong answer, the likeliest first: [number, key, holes].
  function diagnose(now, line, question, x) {
    const right = answer(now, question);
    const ways = {value: ofValue, arrow: ofArrow, slope: ofSlope, tangent: ofTangent}[question.kind](now, question);
    for (const [wrong, key, holes] of ways)
      if (Number.isFinite(wrong) && far(wrong, right) && same(x, wrong, 0.002))
        return {...verdict(false, key, holes), key};
    if (right !== 0 && same(x, -right)) return {...verdict(false, "sign", {rule: ruleOf(now, question)}), key: "sign"};
    return {...notYet(now, question), key: "not yet"};
  }

  function ruleOf(now, {kind, node, edge}) {
    if (kind === "arrow") return engine.fill(now, [["r", edge, 0]]);
    return solution(now, null, {kind, node, edge})[1];
  }

  function notYet(now, question) {
    const {kind, node, edge} = question;
    if (kind === "value") return verdict(false, "not yet", {rule: ruleOf(now, question)}, "try rule");
    if (kind === "arrow") {
      const {parent, user} = edges[edge];
      return verdict(false, "not yet", {leaf: nodes[parent].name, node: nodes[user].name}, "try arrow");
    }
    const [leaf, of] = kind === "tangent" ? [now.leaf, node] : [node, now.output];
    return verdict(false, "not yet", {leaf: nodes[leaf].name, node: nodes[of].name}, "try move");
  }

  function* ofValue(now, {node}) {
    const xs = nodes[node].edges.map(e => edges[e].parent);
    const rule = engine.forwardStages(now, node)[1];
    for (const i of new Set([...xs, ...engine.leaves.filter(i => now.used[i])]))
      yield [now.values[i], "operand", {node: nodes[i].name, rule}];
    if (xs.length !== 2) return;
    const [a, b] = xs.map(i => now.values[i]);
    const others = {add: a + b, multiply: a * b, subtract: a - b, divide: a / b};
    for (const [verb, wrong] of Object.entries(others)) yield [wrong, "operation", {verb, rule}];
    const exchanged = {[a - b]: b - a, [a / b]: b / a}[now.values[node]];
    if (exchanged !== undefined) yield [exchanged, "operation", {verb: "exchange the operands", rule}];
  }

  function* ofArrow(now, {edge}) {
    const {user, parent, name} = edges[edge];
    const rule = engine.fill(now, [["r", edge, 0]]);
    for (const e of nodes[user].edges)
      if (edges[e].parent !== parent)
        yield [now.weights[e], "other factor", {other: nodes[edges[e].parent].name, parent: nodes[parent].name}];
    const parallel = nodes[user].edges
      .filter(e => edges[e].parent === parent)
      .reduce((sum, e) => sum + now.weights[e], 0);
    const ends = {user: nodes[user].name, parent: nodes[parent].name, edge: name, rule, output: nodes[now.output].name};
    yield [parallel, "parallel", ends];
    yield [now.slopes[parent], "whole", {...ends, slope: slopeName(now, parent)}];
    yield [now.values[user], "value not slope", {...ends, node: ends.user, of: ends.user}];
    yield [now.values[parent], "value not slope", {...ends, node: ends.parent, of: ends.user}];
  }

  function* ofSlope(now, {node}) {
    const found = now.steps.filter(({edge}) => edges[edge].parent === node);
    const m = found.length;
    const part = step => now.slopes[edges[step.edge].user] * now.weights[step.edge];
    const total = steps => steps.reduce((sum, step) => sum + part(step), 0);
    const users = [...new Set(found.map(({edge}) => edges[edge].user))];
    const along = user => found.filter(({edge}) => edges[edge].user === user);
    const named = some => some.map(user => nodes[user].name).join(", ");
    if (users.length > 1) {
      const last = edges[found.at(-1).edge].user;
      yield [part(found.at(-1)), "overwritten", {kept: nodes[last].name}];
      for (const user of users) {
        const others = users.filter(other => other !== user);
        yield [total(found) - total(along(user)), "missing path", {missing: nodes[user].name, m}];
        yield [total(along(user)), "missing path", {missing: named(others), m}];
      }
    } else {
      for (const step of m > 1 ? found : [])
        for (const wrong of [total(found) - part(step), part(step)])
          yield [wrong, "one arrow", {m, user: named(users)}];
    }
    // The wrong rules at this node alone, where all before it is right.
    const byLikelihood = ["wrong sign", "swapped factors", "no local derivative"];
    for (const mistake of byLikelihood.map(name => facts.mistakes.find(mistake => mistake.name === name))) {
      const own = mistake.steps.filter(([edge]) => edges[edge].parent === node && now.used[edges[edge].user]);
      const step = own.find(([edge, factor, sign]) => factor !== edge || sign !== 1);
      if (!step || own.length !== m) continue;
      const parts = own.map(([edge, factor, sign]) => now.slopes[edges[edge].user] * factorOf(now, {factor, sign}));
      const wrong = parts.reduce((x, y) => x + y, 0);
      const [edge] = step;
      const holes = {edge: edges[edge].name, rule: engine.fill(now, [["r", edge, 0]]), does: mistake.does};
      const key = {"swapped factors": "swapped", "wrong sign": "sign"}[mistake.name];
      const crossed = {...holes, upstream: slopeName(now, edges[edge].user)};
      yield m === 1 && !key ? [wrong, "not crossed", crossed] : [wrong, key ?? "mistake", holes];
    }
    for (const {edge} of found) {
      const {user, name} = edges[edge];
      const local = now.weights[edge];
      const arrived = now.slopes[user];
      const holes = {edge: name, upstream: slopeName(now, user), number: format(arrived)};
      yield [local, "local alone", holes];
      yield [arrived, "not crossed", holes];
      yield [arrived + local, "sum", holes];
      yield [arrived / local, "quotient", holes];
      yield [local / arrived, "quotient", holes];
    }
    yield [now.values[node], "value not slope", {node: nodes[node].name, of: nodes[now.output].name}];
    for (const mistake of facts.mistakes.filter(({again}) => !again)) {
      const wrong = engine.run({
        ...now,
        given: Object.fromEntries(engine.leaves.map(i => [i, now.values[i]])),
        wrong: mistake,
      });
      yield [wrong.slopes[node], "mistake", {does: mistake.does}];
    }
    for (const i of nodes.keys())
      if (now.used[i] && i !== node)
        yield [now.slopes[i], "other slope", {slope: slopeName(now, i), node: nodes[node].name}];
  }

  function* ofTangent(now, {node}) {
    const found = engine.ways(now, node, now.leaf);
    const m = found.length;
    const part = e => now.weights[e] * now.tangents[edges[e].parent];
    const via = e => nodes[edges[e].parent].name;
    const total = list => list.reduce((sum, e) => sum + part(e), 0);
    if (m > 1)
      for (const e of found) yield [total(found.filter(other => other !== e)), "missing path", {missing: via(e), m}];
    for (const e of found) {
      const {parent, name} = edges[e];
      const local = now.weights[e];
      const arrived = now.tangents[parent];
      const holes = {edge: name, upstream: tangentName(now, parent), number: format(arrived)};
      yield [local, "local alone", holes];
      yield [arrived, "not crossed", holes];
      yield [arrived + local, "sum", holes];
      yield [arrived / local, "quotient", holes];
      yield [local / arrived, "quotient", holes];
    }
    yield [now.values[node], "value not slope", {node: nodes[node].name, of: nodes[node].name}];
    yield [now.slopes[node], "other slope", {slope: slopeName(now, node), node: nodes[node].name}];
  }

  return {all, questions, ask, answer, solution, check, parse, vocabulary, ready};
}
