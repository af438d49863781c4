"use strict";
// The curve of a number against another one, with its tangent, as an SVG.
// `points` are pairs, `width` is in pixels; `at` is the pair of the leaf, `slope` that of the tangent or null.
function curveOf({points, at: [x0, y0], slope, label, format, width: W}) {
  const [H, BELOW, EDGE] = [220, 30, 10];
  const ys = points
    .map(([, y]) => y)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const svg = svgElement("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label});
  if (!ys.length) return svg;

  // All of the curve, but for its poles; numbers that differ by rounding alone are equal.
  const inside = [ys[Math.floor(ys.length * 0.03)], ys[Math.ceil(ys.length * 0.97) - 1]];
  const isTame = ys.at(-1) - ys[0] <= 3 * (inside[1] - inside[0]);
  const seen = [...(isTame ? [ys[0], ys.at(-1)] : inside), ...(Number.isFinite(y0) ? [y0] : [])];
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  const isFlat = most - least <= 1e-12 * Math.max(Math.abs(least), Math.abs(most));
  const [lowest, highest] = isFlat ? [most, most] : [least, most];
  const spare = (highest - lowest || Math.abs(highest) || 1) * 0.12;
  const [low, high] = [lowest - spare, highest + spare];
  const [min, max] = [points[0][0], points.at(-1)[0]];
  const number = x => format(Number(x.toPrecision(3)));
  const heights = [...new Set([lowest, highest])];
  const LEFT = Math.max(52, ...heights.map(y => 8 * number(y).length + 14));
  const across = x => LEFT + ((x - min) / (max - min || 1)) * (W - LEFT - EDGE);
  const up = y => H - BELOW - ((y - low) / (high - low)) * (H - BELOW - EDGE);
  const isNear = y => Number.isFinite(y) && Math.abs(y - (low + high) / 2) < 1.5 * (high - low);

  const pieces = points.map(([x, y], k) => {
    const joined = k > 0 && isNear(points[k - 1][1]);
    return isNear(y) ? `${joined ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}` : "";
  });
  const clip = svgElement("rect", {x: LEFT, y: EDGE / 2, width: W - LEFT - EDGE, height: H - BELOW - EDGE / 2});
  const drawn = svgElement("g", {"clip-path": "url(#inside)"}, svgElement("path", {class: "line", d: pieces.join("")}));
  const [y1, y2] = [min, max].map(x => up(y0 + slope * (x - x0)));
  if (slope !== null && Number.isFinite(y1) && Number.isFinite(y2))
    drawn.append(svgElement("line", {class: "tangent", x1: across(min), y1, x2: across(max), y2}));
  if (Number.isFinite(y0)) drawn.append(svgElement("circle", {cx: across(x0), cy: up(y0), r: 5.5}));
  const texts = (min < -0.15 * (max - min) && max > 0.15 * (max - min) ? [min, 0, max] : [min, max]).map(x =>
    svgElement(
      "text",
      {x: across(x), y: H - BELOW + 18, "text-anchor": x === min ? "start" : x === max ? "end" : "middle"},
      number(x),
    ),
  );
  for (const y of heights) texts.push(svgElement("text", {x: LEFT - 6, y: up(y) + 4, "text-anchor": "end"}, number(y)));
  svg.append(
    svgElement("clipPath", {id: "inside"}, clip),
    svgElement("path", {class: "axis", d: `M${LEFT} ${EDGE / 2}V${H - BELOW}H${W - EDGE}`}),
    drawn,
    ...texts,
  );
  return svg;
}
