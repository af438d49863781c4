"use strict";
// Curves from box to box that keep clear of other boxes and of one another's numbers; nothing here touches the page.
// `boxes` are [x, y, width, height], by their middles.
function makeRoutes({boxes, width, height}) {
  const BENDS = [0, 30, -30, 60, -60, 95, -95, 140, -140, 190, -190]; // pixels beside the straight line
  const SHARES = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74]; // of the way, where the number may stand
  const POINTS = 28;
  const HIGH = 25; // pixels of a number
  const GOOD = 3; // a cost below which no other way is tried

  const isIn = ([x, y], [bx, by, w, h], margin = 0) =>
    Math.abs(x - bx) < w / 2 + margin && Math.abs(y - by) < h / 2 + margin;
  const overlap = (a, b) =>
    Math.abs(a[0] - b[0]) < (a[2] + b[2]) / 2 + 3 && Math.abs(a[1] - b[1]) < (a[3] + b[3]) / 2 + 3;
  const isOut = ([x, y]) => x < 4 || y < 4 || x > width - 4 || y > height - 4;
  const count = (items, test) => items.reduce((n, item) => n + test(item), 0);

  // The points of a curve between two boxes, from the border of one to that of the other.
  function curve(parent, user, bend) {
    const [[x1, y1], [x2, y2]] = [boxes[parent], boxes[user]];
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [cx, cy] = [(x1 + x2) / 2 - (2 * bend * (y2 - y1)) / length, (y1 + y2) / 2 + (2 * bend * (x2 - x1)) / length];
    const at = t => [
      (1 - t) ** 2 * x1 + 2 * t * (1 - t) * cx + t * t * x2,
      (1 - t) ** 2 * y1 + 2 * t * (1 - t) * cy + t * t * y2,
    ];
    let [from, to] = [0, 1];
    while (from < 0.49 && isIn(at(from), boxes[parent], 1)) from += 0.005;
    while (to > 0.51 && isIn(at(to), boxes[user], 2)) to -= 0.005;
    return Array.from({length: POINTS + 1}, (_, k) => at(from + ((to - from) * k) / POINTS));
  }

  // How bad a curve is: its bend, the boxes and numbers that it crosses, and the lines at its ends that it runs along.
  function badness(points, bend, others, taken, beside) {
    let cost = Math.abs(bend) * 0.2;
    for (const point of points) {
      cost += 40 * (count(others, box => isIn(point, box, 7)) + isOut(point));
      cost += 6 * count(taken, ({label}) => isIn(point, label));
      cost += 2 * count(beside, line => line.points.some(([x, y]) => Math.hypot(x - point[0], y - point[1]) < 5));
    }
    return cost;
  }

  // The best place of the number on a curve, and how bad it is.
  function placed(points, across, shown, taken) {
    let best = null;
    for (const share of SHARES) {
      const label = [...points[Math.round(share * POINTS)], across, HIGH];
      const cost =
        40 * count(shown, i => overlap(label, boxes[i])) +
        60 * count(taken, other => overlap(label, other.label)) +
        6 * count(taken, other => other.points.some(point => isIn(point, label))) +
        8 * Math.abs(share - 0.5);
      if (!best || cost < best.cost) best = {label, cost};
      if (cost < GOOD) break;
    }
    return best;
  }

  // The best of some curves; `taken` are the routes that are there, `shown` the boxes.
  function route(parent, user, across, shown, taken) {
    const others = shown.filter(i => i !== parent && i !== user).map(i => boxes[i]);
    const beside = taken.filter(line => line.parent === parent || line.user === user);
    let best = null;
    for (const bend of BENDS) {
      const points = curve(parent, user, bend);
      const bad = badness(points, bend, others, taken, beside);
      if (best && bad >= best.cost) continue;
      const {label, cost} = placed(points, across, shown, taken);
      if (!best || bad + cost < best.cost) best = {parent, user, points, label, cost: bad + cost};
      if (best.cost < GOOD) break;
    }
    return best;
  }

  // The routes of a graph's edges; those that were there before stay, and a number that got longer may move along its
  // curve. `widthOf` is the width of an edge's number.
  function extend(before, graph, shown, widthOf) {
    const routes = new Map();
    const fresh = [];
    const longer = [];
    for (const [user, parents] of graph.into)
      for (const [parent, weight] of parents) {
        const key = `${user} ${parent}`;
        const [[x1, y1], [x2, y2]] = [boxes[parent], boxes[user]];
        const across = widthOf(weight);
        if (before?.has(key)) routes.set(key, before.get(key));
        else fresh.push({key, user, parent, across, length: Math.hypot(x2 - x1, y2 - y1)});
        if (before?.has(key) && across > before.get(key).label[2]) longer.push({key, across});
      }
    for (const {key, across} of longer) {
      const old = routes.get(key);
      const others = [...routes.values()].filter(other => other !== old);
      routes.set(key, {...old, label: placed(old.points, across, shown, others).label});
    }
    fresh.sort((a, b) => a.length - b.length);
    for (const {key, user, parent, across} of fresh)
      routes.set(key, route(parent, user, across, shown, [...routes.values()]));
    return routes;
  }

  const path = ({points}) => `M${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;

  return {extend, path};
}
