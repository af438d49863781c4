"use strict";
// The picture of a graph of which nodes are removed: boxes with names, and a number on each edge. The boxes stay where
// they are, and so does an edge as long as it is there. `on` has point(i), with null for no node, and pick(i).
function makeLinear(holder, places, elimination, removal, on) {
  const {nodes, inputs, outputs, isThere, isWhole} = elimination;
  const {extend, path} = makeRoutes(places);
  const layers = ["lines", "boxes", "numbers"].map(name => svgElement("g", {class: name}));
  const [lines, boxLayer, numbers] = layers;
  const {width, height} = places;
  const size = {viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-labelledby": "title"};
  const heads = ["line", "gradient", "mark"].map(head);
  const svg = svgElement("svg", size, svgElement("defs", {}, ...heads), ...layers);
  holder.replaceChildren(svg);
  const boxes = nodes.map(box);
  const known = {}; // the routes after some steps, by the nodes removed

  function head(role) {
    const long = role === "line" ? 11 : 17;
    const place = {viewBox: "0 0 10 10", refX: 9, refY: 5, orient: "auto", markerUnits: "userSpaceOnUse"};
    const marker = {id: `head-${role}`, ...place, markerWidth: long, markerHeight: long};
    return svgElement("marker", marker, svgElement("path", {d: "M0 1L10 5L0 9z", class: `head-${role}`}));
  }

  function written(markup, attributes) {
    const text = svgElement("text", {"text-anchor": "middle", ...attributes});
    setText(text, markup);
    return text;
  }

  function box({name, operation}, i) {
    const [x, y, width, height] = places.boxes[i];
    const kind = outputs.includes(i) ? "output" : i < inputs ? "parameter" : "result";
    const outline = {class: "outline", x: x - width / 2, y: y - height / 2, width, height, rx: i < inputs ? 12 : 2};
    const group = svgElement("g", {class: `box ${kind}`, "data-node": i, tabindex: 0}, svgElement("rect", outline));
    group.append(written(name, {class: "formula", x, y: y + (operation ? -3 : 6)}));
    if (operation) group.append(written(operation, {class: "operation", x, y: y + 18}));
    for (const event of ["pointerenter", "focus"]) group.addEventListener(event, () => on.point(i));
    for (const event of ["pointerleave", "blur"]) group.addEventListener(event, () => on.point(null));
    group.addEventListener("click", () => on.pick(i));
    group.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      on.pick(i);
    });
    boxLayer.append(group);
    return group;
  }

  const widthOf = weight => 8 * plainText(removal.format(weight)).length + 16;

  // The routes of the edges after some steps.
  function routesAfter(steps) {
    let routes = null;
    for (let k = 0; k <= steps.length; k++) {
      const left = k ? steps[k - 1].after : elimination.first;
      const shown = [...nodes.keys()].filter(i => isThere(left, i));
      const key = `after ${steps.slice(0, k).map(({node}) => node)}`;
      routes = known[key] ??= extend(routes, left, shown, widthOf);
    }
    return routes;
  }

  function arrow(name, classes, weight, role, route) {
    const [x, y] = route.label;
    const width = widthOf(weight);
    const line = {d: path(route), "marker-end": `url(#head-${role})`};
    lines.append(svgElement("g", classes, svgElement("path", line)));
    const pill = svgElement("rect", {x: x - width / 2, y: y - 12.5, width, height: 25, rx: 8});
    const number = removal.format(weight);
    const title = svgElement("title", {}, `${plainText(name)} = ${plainText(number)}`);
    numbers.append(svgElement("g", classes, title, pill, written(number, {x, y: y + 5})));
  }

  // Show the graph after some steps. Marked are the products of the last one if `isFresh`, the node that `goes` next,
  // and a node that is `looked` at, with its edges. `mayPick` and `nameIn` are functions of a node.
  function paint(steps, {isFresh, goes, looked, mayPick, nameIn}) {
    const left = steps.at(-1)?.after ?? elimination.first;
    boxes.forEach((group, i) => {
      group.classList.toggle("gone", !isThere(left, i));
      group.classList.toggle("goes", i === goes || i === looked);
      group.classList.toggle("picks", mayPick(i));
      group.setAttribute("role", mayPick(i) ? "button" : "img");
      group.setAttribute("aria-label", plainText(nameIn(i)));
    });
    const fresh = new Set(isFresh ? steps.at(-1)?.products.map(({user, parent}) => `${user} ${parent}`) : []);
    const routes = routesAfter(steps);
    lines.replaceChildren();
    numbers.replaceChildren();
    for (const [user, parents] of left.into)
      for (const [parent, weight] of parents) {
        const key = `${user} ${parent}`;
        const isLooked = looked !== null && (user === looked || parent === looked);
        const marks = {goes: isLooked, fresh: fresh.has(key), whole: isWhole(left, user, parent)};
        const classes = {
          class: ["arrow", ...Object.keys(marks).filter(mark => marks[mark])].join(" "),
          "data-edge": key,
        };
        const role = isLooked ? "mark" : fresh.has(key) ? "gradient" : "line";
        arrow(removal.partial(user, parent), classes, weight, role, routes.get(key));
      }
  }

  return {paint, places, svg};
}
