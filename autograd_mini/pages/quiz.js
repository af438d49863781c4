"use strict";
// The questions on a graph, and the diagnosis of wrong answers; nothing here touches the page.
function makeQuiz(engine, facts) {
  const {nodes, edges, say, slopeName, tangentName} = engine;
  const MOST = 24; // questions of a quiz
  const {vocabularyOf, parse, nodeNamed, same} = makeAnswers(engine);
  const diagnosis = makeDiagnosis(engine, facts);

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
      // After an arrow to the output alone there is nothing more to ask: the derivative is the same.
      const isLocal = node === now.output && now.uses[parent] === 1;
      if (!isLocal && engine.known(now, line, at).whole[parent]) found.push({kind: "slope", at, node: parent, edge});
    });
    return found;
  }

  // The questions of a quiz: all, or where there are many as many as can be answered, in order.
  function questions(now, line, {most = MOST, seed = null} = {}) {
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
    const {partial: name, user, parent} = edge === undefined ? {} : edges[edge];
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
        return engine.distinct([
          edges[edge].partial,
          ...["r", "i", "w"].map(what => engine.fill(now, [[what, edge, 0]])),
        ]);
      case "slope":
        return engine.slopeStages(now, node);
      case "tangent":
        return engine.tangentStages(now, node);
    }
    const names = ready(now, line, at - 1).map(i => nodes[i].name);
    return [names.join(", ")];
  }

  // The diagnosis.

  const verdict = (right, key, holes = {}, more = `${key} more`) => ({
    right,
    title: say(key, holes),
    text: more ? say(more, holes) : "",
  });
  const isRight = (key = "right", holes = {}, more = "") => verdict(true, key, holes, more);

  function wrong(now, line, question, x) {
    const y = answer(now, question);
    const known = engine.known(now, line, question.at - 1);
    const rule = ruleOf(now, question);
    const sign = [-y, "sign", {rule}, rule === solution(now, line, question).at(-1) ? "" : "sign more"];
    for (const [candidate, key, holes, more] of diagnosis.of(now, question, known, sign))
      if (Number.isFinite(candidate) && !same(candidate, y) && same(x, candidate, 0.002))
        return {...verdict(false, key, holes, more), key};
    if (isCoarse(x, y)) return {...verdict(false, "coarse"), key: "coarse"};
    return {...notYet(now, question, rule), key: "not yet"};
  }

  // Whether a number is another one with one or two digits: too few to be sure.
  const isCoarse = (x, y) =>
    Number.isFinite(y) && !Number.isInteger(y) && [1, 2].some(digits => Number(y.toPrecision(digits)) === x);

  function ruleOf(now, {kind, node, edge}) {
    return kind === "arrow" ? engine.fill(now, [["r", edge, 0]]) : solution(now, null, {kind, node, edge})[1];
  }

  function notYet(now, {kind, node, edge}, rule) {
    if (kind === "value") return verdict(false, "not yet", {rule}, "try rule");
    const isArrow = kind === "arrow";
    const [leaf, of] = isArrow
      ? [edges[edge].parent, edges[edge].user]
      : kind === "tangent"
        ? [now.leaf, node]
        : [node, now.output];
    const isStopped = !isArrow && engine.stops(now, leaf); // a move would go along edges that pass no derivative
    const more = isStopped ? "" : isArrow ? "try arrow" : "try move";
    return verdict(false, "not yet", {leaf: nodes[leaf].name, node: nodes[of].name}, more);
  }

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
    if (problem) return {...verdict(false, problem, {text: escaped(text), example: example(now)}), isUnread: true};
    const given = value(now);
    if (!same(given, right)) return wrong(now, line, question, given);
    if (!names || now.recorded) return isRight();
    const moved = elsewhere(now);
    const [x, y] = [value(moved), answer(moved, question)];
    const isEverywhere = Number.isNaN(y) || same(x, y);
    return isEverywhere ? isRight() : isRight("right here", {name: nameOf(now, question)}, "right here more");
  }

  const escaped = text => text.slice(0, 40).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
  const example = now => {
    const leaf = engine.leaves.find(i => now.used[i]);
    return `2${nodes[leaf].name}`;
  };
  const nameOf = (now, {kind, node, edge}) =>
    kind === "arrow"
      ? edges[edge].partial
      : kind === "value"
        ? nodes[node].name
        : kind === "tangent"
          ? tangentName(now, node)
          : slopeName(now, node);

  // The same graph at other leaves, where equal formulas stay equal.
  function elsewhere(now) {
    const given = Object.fromEntries(
      engine.leaves.map((i, k) => [i, now.values[i] * (1.31 + 0.17 * (k % 7)) + 0.013 * (1 + (k % 5))]),
    );
    return engine.run({...now, given});
  }

  function checkNext(now, line, question, text) {
    const i = typeof text === "number" ? text : nodeNamed(text);
    if (i < 0 || !now.used[i]) return {...verdict(false, "no node"), isUnread: true};
    const before = engine.known(now, line, question.at - 1);
    const isValue = question.phase === "value";
    const choices = ready(now, line, question.at - 1);
    const node = nodes[i].name;
    if (choices.includes(i)) {
      const first = line[question.at].node;
      return i === first ? isRight() : isRight("right next other", {node: nodes[first].name});
    }
    const lacking = isValue ? missing(before, i) : waiting(now, before, i);
    if (!lacking.length) return verdict(false, isValue ? "known already" : "passed on already", {node});
    const names = [...new Set(lacking)].map(k => nodes[k].name).join(", ");
    return verdict(false, "too early", {node, missing: names}, isValue ? "too early values" : "too early reverse");
  }

  return {all, questions, ready, ask, answer, solution, check};
}
