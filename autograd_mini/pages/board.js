"use strict";
// The picture of the net: wires from neuron to neuron, as wide as their numbers are large.
// `planes` are the small planes in the neurons, or null; `page` has look(k) and looked(), the parameter that the reader
// looks at or null.
function makeBoard(board, trainer, planes, palette, numbers, page) {
  const [ARROW, WIDE, HIGHEST] = [8, 42, 620]; // pixels of an arrow's head, of a wire's number, and of a net
  const [SMALLEST, LARGEST] = [0.7, 1.15]; // scales

  const wireGroup = svgElement("g", {
    class: "wires",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "wires",
    "aria-label": "Wires: the arrow keys up and down move from one to the next",
    "aria-describedby": "read",
  });
  const labelGroup = svgElement("g", {class: "wires"}); // above all wires
  const svg = svgElement(
    "svg",
    {
      viewBox: `0 0 ${board.width} ${board.height}`,
      role: "group",
      "aria-labelledby": "net-title",
    },
    wireGroup,
    labelGroup,
    ...board.captions.map(([text, x, y]) => svgElement("text", {class: "caption", x, y}, text)),
  );

  // Whoever points at an element looks at a parameter.
  function watch(group, k) {
    group.addEventListener("pointerenter", () => page.look(k));
    group.addEventListener("pointerleave", () => page.look(null));
  }

  function addArrow([x1, y1, x2, y2]) {
    const angle = Math.atan2(y2 - y1, x2 - x1);
    const end = {x2: x2 - ARROW * Math.cos(angle), y2: y2 - ARROW * Math.sin(angle)};
    const turned = `translate(${x2} ${y2}) rotate(${(angle * 180) / Math.PI})`;
    wireGroup.append(
      svgElement(
        "g",
        {class: "arrow"},
        svgElement("line", {x1, y1, ...end}),
        svgElement("path", {d: "M0 0l-11 -4.5v9z", transform: turned}),
      ),
    );
  }

  function addWire({ends: [x1, y1, x2, y2], weight, number}) {
    const line = svgElement("line", {x1, y1, x2, y2});
    const group = svgElement("g", {class: "wire"}, line, svgElement("line", {class: "hit", x1, y1, x2, y2}));
    watch(group, weight);
    wireGroup.append(group);
    if (!number) return {weight, group, line, label: null};
    const [middle, y] = number;
    const pill = svgElement("rect", {y: y - 10, height: 19, rx: 5});
    const text = svgElement("text", {x: middle, y: y + 4.5});
    labelGroup.append(svgElement("g", {class: "wire", style: "pointer-events: none"}, pill, text));
    return {weight, group, line, label: {middle, pill, text}};
  }

  function addBox({kind, name, biases: [biasPlace = null], at: [x, y, width, height]}) {
    const hasBias = biasPlace !== null;
    const middle = planes && kind === "result" ? x + planes.size / 2 + 2 : x;
    const outline = {x: x - width / 2, y: y - height / 2, width, height, rx: kind === "data" ? 0 : 7};
    const title = svgElement("text", {x: middle, y: hasBias ? y - 3 : y + 6});
    const group = svgElement("g", {class: `box ${kind}`}, svgElement("rect", outline), title);
    svg.append(group);
    if (kind === "output") {
      const cost = svgElement("tspan", {class: "number"});
      title.append(svgElement("tspan", {"font-style": "italic"}, "J"), " = ", cost);
      return {cost, bias: null};
    }
    setText(title, name);
    if (!hasBias) return {cost: null, bias: null};
    const bias = svgElement("text", {class: "bias", x: middle, y: y + 16});
    group.append(bias);
    watch(group, biasPlace);
    return {cost: null, bias, biasPlace, room: width - 2 * Math.abs(middle - x) - 12};
  }

  const wires = [];
  for (const wire of board.wires) {
    if (wire.weight === null) addArrow(wire.ends);
    else wires.push(addWire(wire));
  }
  const boxes = board.boxes.map(addBox);

  // The arrow keys go from wire to wire.
  wireGroup.addEventListener("focus", () => page.look(page.looked() ?? wires[0]?.weight ?? null));
  wireGroup.addEventListener("blur", () => page.look(null));
  wireGroup.addEventListener("keydown", event => {
    const move = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!move) return;
    event.preventDefault();
    const at = wires.findIndex(wire => wire.weight === page.looked());
    page.look(wires[(at + move + wires.length) % wires.length].weight);
    announce(byId("read").innerHTML);
  });
  if (!wires.length) wireGroup.removeAttribute("tabindex");

  const holder = element("div");
  const frame = byId("board");
  const zoom = makeZoom(frame, byId("zoom"), resize);

  // A tall net is made smaller, as long as its letters can be read, and a wide one fits the window.
  function resize() {
    const best = Math.max(SMALLEST, Math.min(LARGEST, HIGHEST / board.height));
    const scale = zoom.scale(Math.min(best, frame.clientWidth / board.width), 14.5);
    holder.style.width = `${Math.floor(board.width * scale)}px`;
    planes?.paint();
  }

  function show() {
    holder.append(svg);
    if (planes) holder.append(planes.canvas);
    frame.append(holder);
    byId("net-key").append(
      palette.keyItem("M1 6h14v4h-14z", "positive", "above 0"),
      palette.keyItem("M1 6h14v4h-14z", "negative", "below 0"),
      element("li", {}, "the wider a wire, the larger its number"),
      element(
        "li",
        {"data-when": "gradients"},
        "on a wire: the derivative of the cost with respect to its weight; in a neuron: with respect to its b",
      ),
    );
    if (planes) byId("net-key").append(element("li", {}, "in a neuron: its output over the plane"));
  }

  // Paint the weights, or the derivatives of the cost with respect to them.
  function paint(showsGradients) {
    const shown = showsGradients ? trainer.slopes : trainer.parameters;
    const largest = wires.reduce((most, {weight}) => Math.max(most, Math.abs(shown[weight])), 0) || 1;
    for (const {weight, group, line, label} of wires) {
      const x = shown[weight];
      const sign = x < 0 ? "minus" : "plus";
      line.setAttribute("class", sign);
      line.setAttribute("stroke-width", (1.2 + (4.8 * Math.abs(x)) / largest).toFixed(2));
      group.classList.toggle("at", weight === page.looked());
      if (label) paintLabel(label, numbers.signed(x), sign);
    }
    for (const {cost, bias, biasPlace, room} of boxes) {
      if (cost) cost.textContent = numbers.format(trainer.cost, 4);
      if (!bias) continue;
      const text = numbers.short(shown[biasPlace]);
      bias.classList.toggle("slope", showsGradients);
      setText(bias, showsGradients ? text : `<i>b</i> = ${text}`, room);
    }
    for (const item of all("[data-when=gradients]")) item.hidden = !showsGradients;
  }

  function paintLabel({middle, pill, text}, written, sign) {
    const room = written.includes("·") ? WIDE : Infinity; // a long number must not cover that of another wire
    const width = (setText(text, written, room) || 7.2 * written.length) + 5;
    text.setAttribute("class", `${sign}-text`);
    pill.setAttribute("x", middle - width / 2);
    pill.setAttribute("width", width);
  }

  show();
  return {paint, resize};
}
