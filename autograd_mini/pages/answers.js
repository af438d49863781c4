"use strict";
// Answers as somebody types them: numbers, short formulas, names; nothing here touches the page.
function makeAnswers(engine) {
  const {nodes, edges, general, slopeName, tangentName} = engine;
  const LONG = 200; // characters of an answer
  const DEEP = 60; // brackets in brackets
  const {sin, cos, tan, sinh, cosh, tanh, exp, log, sqrt, abs, asin, acos, atan, floor, ceil, sign} = Math;
  const sigmoid = x => 1 / (1 + exp(-x));
  const relu = x => Math.max(x, 0);
  const FUNCTIONS = {sin, cos, tan, sinh, cosh, tanh, exp, log, ln: log, sqrt, abs, sigmoid, σ: sigmoid};
  Object.assign(FUNCTIONS, {asin, acos, atan, floor, ceil, sign, relu, "√": sqrt});
  const CONSTANTS = {"∞": Infinity, inf: Infinity, nan: NaN, π: Math.PI, pi: Math.PI};
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻";
  const LOWERED = "₀₁₂₃₄₅₆₇₈₉";

  const untag = markup => markup.replace(/<[^>]*>/g, "").replace(/&(#?\w+);/g, (_, name) => ENTITY[name] ?? "");
  const ENTITY = {amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'"};
  // Small digits as those of a keyboard: x² is x^(2), and w₁ is w1.
  const asTyped = text =>
    text
      .replace(
        new RegExp(`[${RAISED}]+`, "g"),
        run => `^(${[...run].map(c => "0123456789+-"[RAISED.indexOf(c)]).join("")})`,
      )
      .replace(new RegExp(`[${LOWERED}]`, "g"), c => LOWERED.indexOf(c));
  const bare = text => text.replace(/[\s_^{}[\]()*·]/g, "");
  // Whether a name has operators, so that it needs brackets in a formula.
  const isFormula = node => untag(node.bare) !== untag(node.name) && /[-+*/^=<>%&|·×÷−]/.test(node.plain);

  // The names that a formula may hold, each with a function of a run; `isKnown(kind, place)` says which are known.
  function vocabularyOf(now, isKnown) {
    const found = new Map();
    const add = (name, kind, i, read) => {
      const text = asTyped(name);
      if (text && !found.has(text)) found.set(text, {read, isKnown: isKnown(kind, i)});
    };
    const addAll = (markups, kind, i, read) => {
      for (const markup of markups) add(untag(markup), kind, i, read);
      for (const markup of markups) add(untag(markup.replaceAll("<sup>", "^")), kind, i, read);
    };
    nodes.forEach((node, i) => {
      if (!isFormula(node)) add(node.plain, "value", i, now => now.values[i]);
      addAll([isFormula(node) ? node.bare : node.name], "value", i, now => now.values[i]);
    });
    nodes.forEach((_, i) => {
      addAll([slopeName(now, i)], "slope", i, now => now.slopes[i]);
      addAll([tangentName(now, i)], "tangent", i, now => now.tangents[i]);
    });
    edges.forEach(({name, partial}, e) =>
      addAll([name, partial, partial.replaceAll("∂", "d")], "weight", e, now => now.weights[e]),
    );
    for (const [text, x] of Object.entries(CONSTANTS)) add(text, "number", 0, () => x);
    nodes.forEach((node, i) => isFormula(node) || add(bare(node.plain), "value", i, now => now.values[i]));
    return found;
  }

  // Read a formula. The result has `value`, a function of a run, and `names`, whether it holds any; or `problem`.
  function parse(text, vocabulary) {
    const longest = [...vocabulary.keys()].sort((x, y) => y.length - x.length);
    let rest = asTyped(text)
      .replace(/=\s*$/, "")
      .trim()
      .replace(/[−–]/g, "-")
      .replace(/[·×⋅∙]/g, "*")
      .replace(/⌊/g, "floor(")
      .replace(/⌋/g, ")")
      .replace(/(\d),(\d)/g, "$1.$2");
    let names = false;
    let depth = 0;
    if (!rest || rest.length > LONG) return {problem: "no answer"};

    const wordAt = text => longest.find(word => text.startsWith(word));
    function take(pattern) {
      rest = rest.trimStart();
      const found = pattern.exec(rest)?.[0];
      if (found) rest = rest.slice(found.length);
      return found;
    }
    function number() {
      const mantissa = take(/^(\d+\.?\d*|\.\d+)/);
      if (mantissa === undefined) throw "no answer";
      const exponent = wordAt(rest) ? "" : (take(/^e[+-]?\d+/i) ?? "");
      if (/^\s*[\d.]/.test(rest)) throw "no answer"; // two numbers side by side are no product
      return () => Number(mantissa + exponent);
    }
    function item() {
      if (++depth > DEEP) throw "no answer";
      rest = rest.trimStart();
      const word = wordAt(rest);
      const name = functionAt();
      let value;
      if (name) value = call(name);
      else if (word && !/^\d/.test(rest)) {
        const {read, isKnown} = vocabulary.get(word);
        if (!isKnown) throw "not known";
        rest = rest.slice(word.length);
        names = true;
        value = read;
      } else if (take(/^\(/)) {
        value = sum();
        if (!take(/^\)/)) throw "no answer";
      } else if (take(/^e(?=\s*\^)/)) value = () => Math.E;
      else value = number();
      depth--;
      return value;
    }
    // The function whose name stands next, unless a node has this name.
    function functionAt() {
      const name = /^\s*(√|\p{L}+)/u.exec(rest)?.[1];
      return Object.hasOwn(FUNCTIONS, name) && !vocabulary.has(name) ? name : null;
    }
    // A function and its argument: in brackets, or a product without signs as in cos 2x. sin^2 x is the square of sin x.
    function call(name) {
      rest = rest.slice(name.length);
      const exponent = Number(take(/^\^(\d+|\(\d+\))/)?.replace(/\D/g, "") ?? 1);
      if (/^\s*[-+]/.test(rest)) throw "no answer";
      const inner = /^\s*\(/.test(rest) ? item() : argument(name === "√");
      return now => FUNCTIONS[name](inner(now)) ** exponent;
    }
    function argument(isOne) {
      let value = power();
      while (!isOne && /^\s*[\p{L}∂]/u.test(rest) && !functionAt()) {
        const [left, right] = [value, power()];
        value = now => left(now) * right(now);
      }
      return value;
    }
    function power() {
      const base = item();
      if (!take(/^(\*\*|\^)/)) return base;
      const exponent = signed(power);
      return now => base(now) ** exponent(now);
    }
    function signed(next) {
      if (take(/^-/)) {
        const value = signed(next);
        return now => -value(now);
      }
      take(/^\+/);
      return next();
    }
    function product() {
      let value = signed(power);
      for (;;) {
        const left = value;
        if (take(/^\*(?!\*)/)) {
          const right = signed(power);
          value = now => left(now) * right(now);
        } else if (take(/^[/:]/)) {
          const right = signed(power);
          value = now => left(now) / right(now);
        } else if (rest.trim() && !/^\s*[-+)\d.]/.test(rest)) {
          const right = power();
          value = now => left(now) * right(now);
        } else return value;
      }
    }
    function sum() {
      let value = product();
      for (;;) {
        const left = value;
        const sign = take(/^[-+]/);
        if (!sign) return value;
        const right = product();
        value = sign === "+" ? now => left(now) + right(now) : now => left(now) - right(now);
      }
    }
    try {
      const value = sum();
      return rest.trim() ? {problem: "no answer"} : {value, names};
    } catch (problem) {
      if (typeof problem !== "string") throw problem;
      return {problem};
    }
  }

  // The place of the node that somebody names, or -1.
  function nodeNamed(text) {
    const typed = asTyped(text.trim());
    const exact = nodes.findIndex(node => [node.plain, untag(node.name)].map(asTyped).includes(typed));
    if (exact >= 0 || !bare(typed)) return exact;
    return nodes.findIndex(node => [node.plain, untag(node.name)].map(x => bare(asTyped(x))).includes(bare(typed)));
  }

  // Whether a number is another one, as it is or rounded by a person or by the page: 0.33 for 1/3.
  function same(x, y, part = 0.011) {
    if (Object.is(x, y) || x === y) return true;
    if (!Number.isFinite(x) || !Number.isFinite(y)) return false;
    if (Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y))) return true;
    if (y === 0) return Math.abs(x) < 1e-12;
    if (x === Number(general(y))) return true; // as the page shows it
    const isRounded = !Number.isInteger(y) || Math.abs(y) >= 1e7;
    return isRounded && Math.abs(x - y) <= part * Math.abs(y);
  }

  return {vocabularyOf, parse, nodeNamed, same};
}
