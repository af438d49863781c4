"use strict";
// Set or remove the head at an end of a line. WebKit draws a head only if the line has it when it enters the page.
function setHead(path, end, head) {
  if (path.getAttribute(end) === head) return;
  if (head === null) path.removeAttribute(end);
  else path.setAttribute(end, head);
  path.parentNode.insertBefore(path, path.nextSibling);
}

// The picture of a graph or of a part of it; `places` is one of its layouts.
function makePicture(holder, picture, places, engine, on) {
  const {nodes, edges} = engine;
  const unique = `${holder.id}-`;
  const heads = ["line", "gradient"].map(role =>
    svgElement(
      "marker",
      {
        id: `${unique}${role}`,
        viewBox: "0 0 10 10",
        refX: 9,
        refY: 5,
        orient: "auto-start-reverse",
        markerUnits: "userSpaceOnUse",
        markerWidth: role === "line" ? 11 : 19,
        markerHeight: role === "line" ? 11 : 19,
      },
      svgElement("path", {d: "M0 1L10 5L0 9z", class: `head-${role}`}),
    ),
  );
  const svg = svgElement(
    "svg",
    {
      viewBox: `0 0 ${places.width} ${places.height}`,
      width: places.width,
      height: places.height,
      role: "group",
      "aria-labelledby": "title",
    },
    svgElement("defs", {}, ...heads),
  );
  for (const [x, y, width, height, title] of places.frames ?? [])
    svg.append(
      svgElement(
        "g",
        {class: "frame"},
        svgElement("rect", {x: x - width / 2, y: y - height / 2, width, height, rx: 8}),
        svgElement("text", {x: x - width / 2 + 8, y: y - height / 2 + 16}, title),
      ),
    );
  const wires = (picture.wires ?? []).map((wire, k) => {
    const {
      ends: [[x1, y1], [x2, y2]],
      label,
    } = places.arrows[k];
    const text =
      label && wire.weight !== null
        ? svgElement("text", {x: label[0], y: label[1] + 4, "text-anchor": "middle"})
        : null;
    const title = svgElement("title");
    const line = svgElement("line", {x1, y1, x2, y2});
    const group = svgElement("g", {class: "wire"}, title, line);
    svg.append(group);
    return {...wire, group, line, text, title};
  });

  const arrows = picture.edges.map((e, k) => {
    const place = places.arrows[k];
    const group = svgElement("g", {class: "arrow", "data-edge": e});
    const path = svgElement("path", {d: place.path});
    const [x, y] = place.pill ?? place.label ?? [0, 0];
    const text = svgElement("text", {x, y: y + 5, "text-anchor": "middle", class: place.pill ? "" : "bare"});
    const rect = place.pill ? svgElement("rect", {x, y: y - 12.5, height: 25, rx: 8}) : null;
    group.append(path);
    const pill = svgElement("g", {}, ...(rect ? [rect] : []), text);
    svg.append(group);
    group.append(pill);
    return {e, group, path, text, rect, pill, x, room: place.pill ? place.pill[2] : Infinity};
  });

  const boxes = picture.nodes.map((i, k) => {
    const [x, y, width, height] = places.boxes[k];
    const node = nodes[i];
    const members = picture.members?.[k] ?? [i];
    const kind = i === engine.last ? "output" : (picture.kinds?.[k] ?? (node.leaf ? "parameter" : "result"));
    const left = x - width / 2;
    const top = y - height / 2;
    const group = svgElement("g", {
      class: `box ${kind}${members.length > 1 ? " neuron" : ""}`,
      "data-node": i,
      tabindex: 0,
    });
    const outline = svgElement("rect", {class: "outline", x: left, y: top, width, height, rx: node.leaf ? 12 : 2});
    const formulas = picture.formulas[k].map((markup, row) => {
      const text = svgElement("text", {class: "formula", x, "text-anchor": "middle"});
      return {markup, text, row};
    });
    const value = svgElement("text", {class: "value", x, "text-anchor": "middle"});
    const band = svgElement("rect", {
      class: "band",
      x: left + 6,
      y: top + height - 30,
      width: width - 12,
      height: 24,
      rx: 8,
    });
    const slope = svgElement("text", {class: "slope", x, y: top + height - 12.5, "text-anchor": "middle"});
    group.append(outline, ...formulas.map(({text}) => text), value, band, slope);
    svg.append(group);
    for (const [name, shown] of [
      ["pointerenter", i],
      ["pointerleave", null],
      ["focus", i],
      ["blur", null],
    ])
      group.addEventListener(name, () => on.point?.(shown));
    group.addEventListener("click", () => on.pick?.(i, members, group));
    group.addEventListener("keydown", event => {
      if ((event.key !== "Enter" && event.key !== " ") || group.getAttribute("role") !== "button") return;
      event.preventDefault();
      on.pick?.(i, members, group);
    });
    return {i, members, group, formulas, value, band, slope, width, height, top, left};
  });
  // Above the boxes and the wires.
  for (const {text} of wires) if (text) svg.append(svgElement("g", {class: "wire"}, text));
  for (const [x, y, title] of places.captions ?? [])
    svg.append(svgElement("text", {class: "caption", x, y: y + 4, "text-anchor": "middle"}, title));
  holder.replaceChildren(svg);

  // Show what is known at a step; `focus` is the step that is marked, `given` an edge that is known besides.
  function paint({now, known, focus, mode, revealed, against}) {
    const {phase, node, edge} = focus;
    const banded = mode !== "values";
    const into = phase === "reverse" ? edges[edge].parent : null;
    for (const box of boxes) {
      const {i, members, group, formulas, top, height, width} = box;
      const done = known.done[i];
      const shown = mode === "forward" ? known.tangents[i] : known.slopes[i];
      const whole = mode === "forward" || known.whole[i];
      const name = mode === "forward" ? engine.tangentName(now, i) : engine.slopeName(now, i);
      const sum = mode === "forward" ? now.tangents[i] : known.sums[i];
      const more = shown && !whole && !now.wrong?.assigns ? " + …" : "";
      const slope = now.used[i] ? `${name} = ${shown ? `<b>${engine.format(sum)}</b>` : "?"}${more}` : "";
      const value = done ? engine.format(now.values[i]) : "?";
      const room = width - 10;
      const spare = height - (formulas.length * 24 + 28 + (banded ? 30 : 0)) - 8;
      formulas.forEach(({markup, text, row}) => {
        text.setAttribute("y", top + 22 + Math.max(spare / 2, spare / 4) + 24 * row);
        setText(text, markup, room);
      });
      box.value.setAttribute("y", top + 24 * formulas.length + 24 + spare / 2);
      setText(box.value, value, room);
      setText(box.slope, banded ? slope : "", room - 6);
      box.band.style.display = banded && slope ? "" : "none";
      const differs =
        against &&
        done &&
        (engine.far(against.now.values[i], now.values[i]) ||
          (mode === "reverse" && shown && against.known.slopes[i] && engine.far(against.known.sums[i], sum)) ||
          (mode === "forward" && shown && against.known.tangents[i] && engine.far(against.now.tangents[i], sum)));
      const marks = {
        waiting: !done,
        open: banded && !shown,
        now: node !== undefined && members.includes(node),
        into: into !== null && members.includes(into) && !members.includes(node),
        unused: !now.used[i],
        differs: Boolean(differs),
      };
      for (const [key, value] of Object.entries(marks)) group.classList.toggle(key, value);
      group.setAttribute("role", on.isPicked?.(i, members) ? "button" : "img");
      group.classList.toggle("picks", group.getAttribute("role") === "button");
      group.setAttribute(
        "aria-label",
        `${plainText(nodes[i].name)}: ${plainText(value)}${banded ? `; ${plainText(slope)}` : ""}`,
      );
    }
    for (const {e, group, path, text, rect, pill, x, room} of arrows) {
      const shown = known.arrows[e] || revealed === e;
      const current =
        e === edge || (phase === "forward" && edges[e].user === node && engine.ways(now, node, now.leaf).includes(e));
      pill.style.display = banded ? "" : "none";
      const full = shown
        ? engine.stages([edges[e].partial, engine.fill(now, [["r", e, 0]]), engine.format(now.weights[e])])
        : edges[e].partial;
      let length = setText(text, rect ? full : shown ? engine.format(now.weights[e]) : "", room);
      if (rect) {
        // Without its middle, where the text is too long.
        if (shown && length === room)
          length = setText(text, engine.stages([edges[e].partial, engine.format(now.weights[e])]), room);
        rect.setAttribute("width", length + 14);
        rect.setAttribute("x", x - length / 2 - 7);
      }
      const back = current && phase === "reverse";
      const head = `url(#${unique}${current ? "gradient" : "line"})`;
      setHead(path, "marker-start", back ? head : null);
      setHead(path, "marker-end", back ? null : head);
      for (const [key, value] of Object.entries({
        now: current,
        onward: current && phase === "forward",
        open: !shown,
        unused: !now.used[edges[e].user],
      }))
        group.classList.toggle(key, value);
    }
    const largest = Math.max(...wires.map(({weight}) => (weight === null ? 0 : Math.abs(now.values[weight]))), 1e-300);
    for (const {group, line: drawn, text, title, weight, from, to} of wires) {
      const w = weight === null ? null : now.values[weight];
      const current = phase === "reverse" && from.includes(edges[edge].parent) && to.includes(node);
      for (const element of [group, ...(text ? [text.parentNode] : [])]) {
        element.classList.toggle("negative", w !== null && w < 0);
        element.classList.toggle("plain", w === null);
        element.classList.toggle("now", current);
      }
      drawn.setAttribute("stroke-width", w === null ? 1.6 : 1.2 + 4.8 * Math.min(Math.abs(w) / largest, 1));
      const label = w === null ? "" : (w >= 0 ? "+" : "") + engine.format(Number(w.toPrecision(3)));
      if (text) setText(text, label);
      title.textContent = weight === null ? "" : `${plainText(nodes[weight].name)} = ${plainText(label)}`;
    }
  }

  // Show all of the picture, or before a class a part around the boxes that are marked, with letters that all can read.
  function look(isPresenting) {
    const good = Math.min(innerWidth, innerHeight) / 600; // the smallest letters, of 15 pixels, are a fortieth of it
    const marked = boxes.filter(({group}) => group.matches(".now, .into"));
    const scales = {least: isPresenting ? 0.6 * good : 0, good};
    svg.setAttribute("viewBox", viewOf(places, svg.getBoundingClientRect(), marked, scales).join(" "));
  }

  return {paint, look, svg, boxes, places};
}
