"use strict";
// The questions on a graph, and the diagnosis of wrong answers; nothing here touches the page.
function makeQuiz(engine, facts) {
  const {nodes, edges, say, slopeName, tangentName, format, number, written, far, factorOf} = engine;
  const MOST = 24,
    LONG = 200; // questions of a quiz; characters of an answer

  // Questions.

  const missing = (known, i) => nodes[i].edges.map(e => edges[e].parent).filter(p => !known.done[p]);
  const waiting = (now, known, i) =>
    now.steps
      .filter(({edge}) => edges[edge].parent === i && !known.whole[edges[edge].user])
      .map(({edge}) => edges[edge].user);

  // The nodes that a pass may take next.
  function ready(now, line, at) {
    const known = engine.known(now, line, at),
      phase = line[at + 1].phase;
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
    const phase = line[at + 1].phase,
      left = new Set(
        line
          .slice(at + 1)
          .filter(step => step.phase === phase)
          .map(step => step.node),
      );
    return left.size > ready(now, line, at).length;
  }

  // All questions of a timeline; each is asked before the step `at` is shown.
  function all(now, line) {
    const found = [],
      asked = {value: 0, reverse: 0};
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
    const roll = dice(seed),
      keys = found.map(() => roll());
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
      case "arrow":
        return say("ask arrow", {edge: name, parent: nodes[parent].name, user: nodes[user].name});
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

  // The whole answer, written out.
  function solution(now, line, question) {
    const {kind, node, edge, at} = question;
    switch (kind) {
      case "value":
        return engine.forward(now, node);
      case "arrow":
        return engine.stages([edges[edge].name, ...["r", "i", "w"].map(what => engine.fill(now, [[what, edge, 0]]))]);
      case "slope":
        return engine.byUsers(now, node);
      case "tangent":
        return engine.tangent(now, node);
    }
    return ready(now, line, at - 1)
      .map(i => nodes[i].name)
      .join(", ");
  }

  // Answers: numbers and short formulas.

  // The texts that a formula may hold: names of nodes, and of derivatives, with the number that each stands for.
  const vocabulary = new Map();
  const bare = text => text.replace(/[\s_^{}[\]()*·]/g, "");
  const untag = text =>
    text
      .replace(/<[^>]*>/g, "")
      .replace(/&(\w+|#\w+);/g, (_, name) => ({amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'"})[name] ?? "");
  nodes.forEach((node, i) => {
    const add = (text, read) => {
      if (text && !vocabulary.has(text)) vocabulary.set(text, read);
    };
    for (const text of [node.plain, untag(node.name), bare(node.plain)]) add(text, now => now.values[i]);
  });
  edges.forEach((edge, e) => {
    for (const text of [untag(edge.name), untag(edge.name).replaceAll("∂", "d")])
      if (!vocabulary.has(text)) vocabulary.set(text, now => now.weights[e]);
  });
  nodes.forEach((node, i) => {
    const text = `d${untag(nodes[engine.last].bare)}/d${untag(node.bare)}`;
    vocabulary.set(text, now => now.slopes[i]);
  });
  const longest = [...vocabulary.keys()].sort((x, y) => y.length - x.length);

  // Read a formula: a function of a run, or null where it is not understood.
  function parse(text) {
    let rest = text
      .trim()
      .replaceAll("−", "-")
      .replaceAll("–", "-")
      .replace(/(\d),(\d)/g, "$1.$2");
    if (!rest || rest.length > LONG) return null;
    let names = false,
      depth = 0;
    const skip = () => {
      rest = rest.trimStart();
    };
    const take = pattern => {
      skip();
      const found = pattern.exec(rest);
      if (found) rest = rest.slice(found[0].length);
      return found?.[0];
    };
    function item() {
      if (depth++ > 60) throw 0;
      skip();
      const known = longest.find(word => rest.startsWith(word));
      let value;
      if (known && !/^\d/.test(rest)) {
        rest = rest.slice(known.length);
        names = true;
        value = vocabulary.get(known);
      } else if (take(/^\(/)) {
        value = sum();
        if (!take(/^\)/)) throw 0;
      } else {
        const digits = take(/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i);
        if (digits === undefined) throw 0;
        value = () => Number(digits);
      }
      depth--;
      return value;
    }
    function power() {
      const base = item();
      if (!take(/^(\*\*|\^)/)) return base;
      const exponent = sign(power);
      return now => base(now) ** exponent(now);
    }
    function sign(next) {
      if (take(/^-/)) {
        const value = sign(next);
        return now => -value(now);
      }
      take(/^\+/);
      return next();
    }
    function product() {
      let value = sign(power);
      for (;;) {
        const left = value;
        if (take(/^(\*(?!\*)|·|×)/)) {
          const right = sign(power);
          value = now => left(now) * right(now);
        } else if (take(/^[/:]/)) {
          const right = sign(power);
          value = now => left(now) / right(now);
        } else if ((skip(), rest) && !/^[-+)]/.test(rest)) {
          const right = power();
          value = now => left(now) * right(now);
        } else return value;
      }
    }
    function sum() {
      let value = product();
      for (;;) {
        const left = value;
        if (take(/^\+/)) {
          const right = product();
          value = now => left(now) + right(now);
        } else if (take(/^-/)) {
          const right = product();
          value = now => left(now) - right(now);
        } else return value;
      }
    }
    try {
      const value = sum();
      skip();
      return rest ? null : {value, names};
    } catch {
      return null;
    }
  }

  // Find a node by a name as somebody types it.
  function nodeNamed(text) {
    const typed = bare(text.trim());
    const exact = nodes.findIndex(node => [node.plain, untag(node.name)].includes(text.trim()));
    return exact >= 0 ? exact : nodes.findIndex(node => bare(node.plain) === typed || bare(untag(node.name)) === typed);
  }

  // Whether a number is another one, or that rounded as a person rounds: 0.33 for 1/3.
  function same(x, y, part = 0.011) {
    if (!far(x, y)) return true;
    return Number.isFinite(x) && Number.isFinite(y) && !Number.isInteger(y) && Math.abs(x - y) <= part * Math.abs(y);
  }

  // The diagnosis.

  const verdict = (right, key, holes = {}, more = key === "right" ? "" : `${key} more`) => ({
    right,
    title: say(key, holes),
    text: more && more in facts.words ? say(more, holes) : "",
  });

  function check(now, line, question, text) {
    if (question.kind === "next") return checkNext(now, line, question, text);
    const parsed = parse(text),
      right = answer(now, question);
    if (!parsed) return verdict(false, "no answer", {text: escaped(text), example: example(now, question)});
    const given = parsed.value(now);
    if (!same(given, right)) return diagnose(now, line, question, given);
    if (parsed.names && !now.recorded) {
      const moved = elsewhere(now),
        [x, y] = [parsed.value(moved), answer(moved, question)];
      if (!Number.isNaN(y) && far(x, y))
        return {...verdict(false, "right by chance", {name: nameOf(now, question)}), chance: true};
    }
    return verdict(true, "right");
  }

  const escaped = text => text.slice(0, 40).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
  const example = (now, question) => {
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
    const before = engine.known(now, line, question.at - 1),
      isValue = question.phase === "value";
    const choices = ready(now, line, question.at - 1),
      node = nodes[i].name;
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
    if (kind === "value") return written(now, nodes[node].forward.slice(1, 2));
    if (kind === "arrow") return engine.fill(now, [["r", edge, 0]]);
    if (kind === "tangent") return engine.tangent(now, node).split(" = ")[1];
    return engine.byUsers(now, node).split(" = ")[1];
  }

  function notYet(now, question) {
    const {kind, node, edge} = question;
    if (kind === "value") return verdict(false, "not yet", {rule: ruleOf(now, question)}, "try rule");
    const [leaf, of] =
      kind === "arrow"
        ? [edges[edge].parent, edges[edge].user]
        : kind === "tangent"
          ? [now.leaf, node]
          : [node, now.output];
    return verdict(false, "not yet", {leaf: nodes[leaf].name, node: nodes[of].name}, "try move");
  }

  function* ofValue(now, {node}) {
    const xs = nodes[node].edges.map(e => edges[e].parent),
      rule = written(now, nodes[node].forward.slice(1, 2));
    if (xs.length === 2) {
      const [a, b] = xs.map(i => now.values[i]);
      for (const [wrong, verb] of [
        [a + b, "add"],
        [a * b, "multiply"],
        [a - b, "subtract"],
        [a / b, "divide"],
        [b - a, "exchange the operands"],
        [b / a, "exchange the operands"],
      ])
        yield [wrong, "operation", {verb, rule}];
    }
    for (const i of xs) yield [now.values[i], "operand", {node: nodes[i].name, rule}];
    for (const {i, name} of engine.leaves.filter(i => now.used[i]).map(i => ({i, name: nodes[i].name})))
      yield [now.values[i], "operand", {node: name, rule}];
  }

  function* ofArrow(now, {edge}) {
    const {user, parent, name} = edges[edge],
      rule = engine.fill(now, [["r", edge, 0]]);
    for (const e of nodes[user].edges)
      if (edges[e].parent !== parent) yield [now.weights[e], "other factor", {other: nodes[edges[e].parent].name}];
    const ends = {user: nodes[user].name, parent: nodes[parent].name, edge: name, rule, output: nodes[now.output].name};
    yield [now.slopes[parent], "whole", {...ends, slope: slopeName(now, parent)}];
    yield [now.values[user], "value not slope", {...ends, node: ends.user, of: ends.user}];
    yield [now.values[parent], "value not slope", {...ends, node: ends.parent, of: ends.user}];
  }

  function* ofSlope(now, {node}) {
    const found = now.steps.filter(({edge}) => edges[edge].parent === node),
      m = found.length;
    const part = step => now.slopes[edges[step.edge].user] * now.weights[step.edge];
    const total = steps => steps.reduce((sum, step) => sum + part(step), 0);
    const via = step => nodes[edges[step.edge].user].name;
    if (m > 1) {
      yield [part(found.at(-1)), "overwritten", {kept: via(found.at(-1))}];
      for (const step of found)
        yield [total(found.filter(other => other !== step)), "missing path", {missing: via(step), m}];
      for (const step of found)
        yield [
          part(step),
          "missing path",
          {
            missing: found
              .filter(x => x !== step)
              .map(via)
              .join(", "),
            m,
          },
        ];
    }
    // The wrong rules at this node alone, where all before it is right.
    for (const mistake of facts.mistakes) {
      const own = mistake.steps.filter(([edge]) => edges[edge].parent === node && now.used[edges[edge].user]);
      const step = own.find(([edge, factor, sign]) => factor !== edge || sign !== 1);
      if (!step || own.length !== m) continue;
      const wrong = own.reduce(
        (sum, [edge, factor, sign]) => sum + now.slopes[edges[edge].user] * factorOf(now, {factor, sign}),
        0,
      );
      const {name: edge} = edges[step[0]],
        upstream = slopeName(now, edges[step[0]].user);
      if (mistake.name === "swapped factors")
        yield [wrong, "swapped", {edge, rule: engine.fill(now, [["r", step[0], 0]])}];
      if (mistake.name === "wrong sign") yield [wrong, "sign", {rule: engine.fill(now, [["r", step[0], 0]])}];
      if (mistake.name === "no local derivative") yield [wrong, "not crossed", {edge, upstream}];
    }
    for (const {edge} of found) {
      const {user, name} = edges[edge],
        local = now.weights[edge],
        arrived = now.slopes[user];
      const holes = {edge: name, upstream: slopeName(now, user), number: format(arrived)};
      yield [local, "local alone", holes];
      yield [arrived, "not crossed", holes];
      yield [arrived + local, "sum", holes];
      yield [arrived / local, "quotient", holes];
      yield [local / arrived, "quotient", holes];
    }
    yield [now.values[node], "value not slope", {node: nodes[node].name, of: nodes[now.output].name}];
    for (const mistake of facts.mistakes) {
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
    const found = engine.ways(now, node, now.leaf),
      m = found.length;
    const part = e => now.weights[e] * now.tangents[edges[e].parent],
      via = e => nodes[edges[e].parent].name;
    const total = list => list.reduce((sum, e) => sum + part(e), 0);
    if (m > 1)
      for (const e of found) yield [total(found.filter(other => other !== e)), "missing path", {missing: via(e), m}];
    for (const e of found) {
      const {parent, name} = edges[e],
        local = now.weights[e],
        arrived = now.tangents[parent];
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

  return {all, questions, ask, answer, solution, check, parse, ready};
}
