"use strict";
// The sentences of the steps of an elimination, its questions, and the diagnosis of wrong answers; nothing here touches
// the page.
function makeRemoval(elimination, {words, precision}) {
  const {nodes} = elimination;
  const {PRODUCT, POWER, general, format, number, bracketed, sum} = makeTexts(precision);
  const {parse, same} = makeAnswers({nodes: [], edges: [], general});
  const MOST = 3; // products of a step that are asked for
  const LINES = 12; // products of a step that are written

  const say = (key, holes = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => holes[name]);
  const many = (n, what) => say(n === 1 ? `one ${what}` : `${what}s`, {n});
  const partial = (user, parent) => `∂${nodes[user].bare}/∂${nodes[parent].bare}`;

  // One product: the new number on an edge in symbols, in numbers, and its value.
  function productText(node, {parent, user, before, outer, inner, after}) {
    const isNew = before === undefined;
    const name = partial(user, parent);
    const symbols = `${partial(user, node)} · ${partial(node, parent)}`;
    const product = {text: [outer, inner].map(x => bracketed(number(x), POWER)).join(" · "), level: PRODUCT};
    const numbers = isNew ? product.text : sum([number(before), product]).text;
    return `${name} ${isNew ? "=" : "←"} ${isNew ? symbols : `${name} + ${symbols}`} = ${numbers} = ${format(after)}`;
  }

  // A step in words: its work, and its products one a line.
  function told(step) {
    const {multiplications, additions} = elimination.cost([step]);
    const holes = {products: many(multiplications, "multiplication"), sums: many(additions, "addition")};
    const lines = step.products.slice(0, LINES).map(product => productText(step.node, product));
    const rest = step.products.length - LINES;
    return [say("step work", holes), ...lines, ...(rest > 0 ? [say("more", {n: rest})] : [])];
  }

  function pair(graph, node) {
    return {into: many(graph.into.get(node).size, "in"), out: many(graph.users.get(node).size, "out")};
  }

  // The work of a node that could go next.
  function offered(graph, node) {
    const products = many(elimination.degree(graph, node), "multiplication");
    return say("offered", {node: nodes[node].name, ...pair(graph, node), products});
  }

  // Questions.

  const questions = step => [
    {kind: "count"},
    ...step.products.slice(0, MOST).map(product => ({kind: "product", product})),
  ];

  function ask(step, {kind, product}) {
    if (kind === "count") return say("ask count", {node: nodes[step.node].name});
    const {parent, user, before} = product;
    const edge = partial(user, parent);
    const holes = {edge, node: nodes[step.node].name, before: before === undefined ? "" : format(before)};
    return say(before === undefined ? "ask new" : "ask changed", holes);
  }

  function solution(step, {kind, product}) {
    if (kind === "product") return productText(step.node, product);
    const [a, b] = [step.before.into.get(step.node).size, step.before.users.get(step.node).size];
    return `${a} · ${b} = ${a * b}`;
  }

  // The wrong ways to a number, each with the key of its sentence.
  function slips(step, {kind, product}) {
    if (kind === "count") {
      const [a, b] = [step.before.into.get(step.node).size, step.before.users.get(step.node).size];
      return [
        [a + b, "count added"],
        [a, "count one side"],
        [b, "count one side"],
      ];
    }
    const {before, outer, inner, after} = product;
    return [
      ...(before === undefined
        ? []
        : [
            [outer * inner, "not added"],
            [before, "not multiplied"],
          ]),
      [(before ?? 0) + outer + inner, "sum"],
      [outer + inner, "sum"],
      [outer, "one factor"],
      [inner, "one factor"],
      [-after, "sign"],
    ];
  }

  // Whether an answer is right, and what the page says to it.
  function check(step, question, text) {
    const {value, problem} = parse(text, new Map());
    if (problem) return {right: false, isUnread: true, title: say("no answer"), text: say("no answer more")};
    const given = value({});
    const isCount = question.kind === "count";
    const {before, after} = isCount ? {after: step.products.length} : question.product;
    if (isCount ? given === after : same(given, after)) return {right: true, title: say("right"), text: ""};
    const slip = slips(step, question).find(([x]) => x === given || (!isCount && same(given, x)));
    const key = slip?.[1] ?? (isCount ? "not counted" : "not yet");
    const known = before === undefined ? "" : format(before);
    const holes = {...pair(step.before, step.node), node: nodes[step.node].name, before: known};
    return {right: false, title: say(key), text: say(`${key} more`, holes), key};
  }

  return {say, many, format, partial, told, offered, questions, ask, solution, check};
}
