"use strict";
// The numbers; nothing here touches the page.
function makeTrainer(facts, rows) {
  const {X, y, kinds, classes, decay} = facts;
  const start = facts.parameters.map(parameter => parameter.start);
  const n = start.length;
  const m = X.length;
  const parts = y.map(target => (Array.isArray(target) ? target : [target]));
  const inputs = X[0].length;
  const width = inputs + parts[0].length;
  const data = new Float64Array(m * width);
  X.forEach((x, i) => data.set([...x, ...parts[i]], i * width));
  const places = kinds.map(kind => Int32Array.from(kind, i => i * width));
  let now;
  let before = new Float64Array(n);
  let slopes = new Float64Array(n);
  let cost;
  let steps;
  let costs;
  let every;

  const rose = new Uint8Array(20); // whether the cost rose, of the last steps

  // The cost at some parameters, whose gradient goes into a vector.
  function evaluated(at, into) {
    let total = 0;
    into.fill(0);
    for (let k = 0; k < places.length; k++) {
      const loss = rows.losses[k];
      const those = places[k];
      for (let i = 0; i < those.length; i++) total += loss(at, data, those[i], into);
    }
    for (let k = 0; k < n; k++) into[k] /= m;
    return total / m;
  }

  function reset(parameters = start) {
    now = Float64Array.from(parameters);
    steps = 0;
    every = 1;
    rose.fill(0);
    cost = evaluated(now, slopes);
    costs = [cost];
  }

  // Take one step of gradient descent, and return whether it was taken: not one that leads to nan or inf.
  let other = new Float64Array(n);
  function step(rate) {
    for (let k = 0; k < n; k++) before[k] = now[k] - rate * (slopes[k] + decay * now[k]);
    const next = evaluated(before, other);
    if (!Number.isFinite(next) || !other.every(Number.isFinite) || !before.every(Number.isFinite)) return false;
    [now, before] = [before, now];
    [slopes, other] = [other, slopes];
    rose[steps % rose.length] = Number(next > cost);
    cost = next;
    steps++;
    if (steps % every === 0) costs.push(cost);
    if (costs.length > 8192) {
      // a long curve keeps each second number, and so on
      costs = costs.filter((_, i) => i % 2 === 0);
      every *= 2;
    }
    return true;
  }

  const found = new Float64Array(facts.outputs);
  function outputs(x, into = found) {
    rows.outputs(now, x, 0, into);
    return into;
  }
  const neurons = (x, into) => rows.neurons(now, x, 0, into);
  const largest = z => z.reduce((best, _, k) => (z[k] > z[best] ? k : best), 0);
  const classOf = z => (classes.threshold === null ? largest(z) : Number(z[0] > classes.threshold));
  const isRight = i => classOf(outputs(X[i])) === classes.of[i];
  const accuracy = () => (classes ? X.reduce((sum, _, i) => sum + isRight(i), 0) / m : null);

  // Normal numbers from a seed, for new weights; biases start at 0.
  function drawn(seed, size) {
    const uniform = dice(seed);
    const biases = new Set(facts.biases);
    return start.map((_, k) => {
      const x = size * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
      return biases.has(k) ? 0 : x;
    });
  }

  // Does the page compute what the engine did? If not, it must not train.
  function differs() {
    const far = (x, y) => !(Math.abs(x - y) <= 1e-9 * (1 + Math.abs(y)));
    return far(evaluated(Float64Array.from(start), other), facts.cost) || facts.slopes.some((y, k) => far(other[k], y));
  }

  reset();
  return {
    reset,
    step,
    outputs,
    neurons,
    classOf,
    isRight,
    accuracy,
    drawn,
    inputs,
    examples: m,
    differs,
    get parameters() {
      return now;
    },
    get slopes() {
      return slopes;
    },
    get cost() {
      return cost;
    },
    get rises() {
      return [rose.reduce((sum, x) => sum + x, 0), rose.length];
    },
    get steps() {
      return steps;
    },
    get costs() {
      return costs;
    },
    get every() {
      return every;
    },
  };
}
