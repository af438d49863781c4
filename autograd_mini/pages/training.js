"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const {precision, classes, board} = facts;
  const trainer = makeTrainer(facts, equations);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const frozen = trainer.differs();
  const n = facts.parameters.length;

  // Text.
  const DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const power = k => `10${k < 0 ? "⁻" : ""}${[...String(Math.abs(k))].map(d => DIGITS[d]).join("")}`;
  const minus = text => text.replace("-", "−");
  function format(x, digits = precision) {
    if (!Number.isFinite(x)) return x > 0 ? "∞" : x < 0 ? "−∞" : "—";
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (size >= 0.001 && size < 9999.5) {
      const text = x.toPrecision(digits);
      return minus(text.includes("e") ? String(Number(text)) : text);
    }
    const [mantissa, exponent] = x.toExponential(Math.min(digits, 3) - 1).split("e");
    return `${minus(mantissa)}·${power(Number(exponent))}`;
  }
  const brief = x => minus(String(Number(x.toPrecision(4))));
  function signed(x) {
    const size = Math.abs(x);
    const text =
      size >= 9999.5 || (size < 0.0005 && size > 0)
        ? format(size, 1)
        : size.toFixed(size >= 99.5 ? 0 : size >= 9.95 ? 1 : size >= 0.095 ? 2 : 3);
    return x === 0 ? "0" : `${x < 0 ? "−" : "+"}${text}`;
  }
  const SVG = "http://www.w3.org/2000/svg";
  const filled = (made, attributes, text) => {
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const made = (name, attributes = {}, text = "") => filled(document.createElement(name), attributes, text);
  const drawn = (name, attributes = {}, text = "") => filled(document.createElementNS(SVG, name), attributes, text);
  const plain = runs =>
    runs.map(([text, , shift]) => (shift ? `${shift === "sub" ? "_" : "^"}${text}` : text)).join("");
  // A name as HTML, as SVG and on a canvas: letters in italics, small digits above and below the line.
  function typeset(runs) {
    return runs.map(([text, style, shift]) => {
      const inner = style ? made("i", {}, text) : document.createTextNode(text);
      if (!shift) return inner;
      const outer = made(shift);
      outer.append(inner);
      return outer;
    });
  }
  function spans(runs, size) {
    let at = 0;
    return runs
      .map(([text, style, shift]) => {
        const to = {sub: 0.25, sup: -0.42}[shift] ?? 0;
        const span = drawn("tspan", {dy: ((to - at) * size).toFixed(2)}, text);
        at = to;
        if (style) span.setAttribute("font-style", "italic");
        if (shift) span.setAttribute("font-size", (size * 0.7).toFixed(1));
        return span;
      })
      .concat(drawn("tspan", {dy: (-at * size).toFixed(2)}, "\u200b"));
  }
  const FACE = '"Times New Roman", "Liberation Serif", Times, serif';
  function lettered(context, runs, x, y, size, align) {
    const fonts = runs.map(([, style, shift]) => `${style ? "italic " : ""}${shift ? size * 0.7 : size}px ${FACE}`);
    const widths = runs.map(([text], k) => {
      context.font = fonts[k];
      return context.measureText(text).width;
    });
    let at = x - widths.reduce((a, b) => a + b, 0) * {left: 0, center: 0.5, right: 1}[align];
    context.textAlign = "left";
    runs.forEach(([text, , shift], k) => {
      context.font = fonts[k];
      context.fillText(text, at, y + size * ({sub: 0.2, sup: -0.4}[shift] ?? 0));
      at += widths[k];
    });
  }

  // Colours, of the theme that is on.
  const CLASSES = ["negative", "positive", "local", "mark", "gradient", "muted", "class6", "class7"];
  let colours;
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colours = new Proxy({}, {get: (held, name) => (held[name] ??= style.getPropertyValue(`--${String(name)}`).trim())});
    classColours = CLASSES.map(name => colours[name]);
  }
  let classColours;
  const rgb = hex => [1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16));
  const mixed = (a, b, share) => a.map((x, k) => Math.round(x + (b[k] - x) * share));
  const classColour = k => classColours[k % classColours.length];

  // Plots.
  function ticks(low, high, most) {
    const raw = (high - low) / most;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const gap = [1, 2, 5, 10].find(k => k * unit >= raw) * unit;
    const found = [];
    for (let k = Math.ceil(low / gap - 1e-9); k * gap <= high + gap * 1e-9; k++) found.push(k * gap);
    return found;
  }
  const LEFT = 54;
  const BELOW = 40;
  const ABOVE = 12;
  const BESIDE = 12;
  // A frame with axes; `draw` gets the context and the two scales, which go from numbers to pixels.
  function plot(canvas, {x, y, names, ticksOf = ticks}, draw) {
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext("2d");
    const right = width - BESIDE;
    const bottom = height - BELOW;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const toX = v => LEFT + ((v - x[0]) / (x[1] - x[0])) * (right - LEFT);
    const toY = v => bottom - ((v - y[0]) / (y[1] - y[0])) * (bottom - ABOVE);
    context.save();
    context.beginPath();
    context.rect(LEFT, ABOVE, right - LEFT, bottom - ABOVE);
    context.clip();
    draw(context, toX, toY, {left: LEFT, top: ABOVE, width: right - LEFT, height: bottom - ABOVE});
    context.restore();
    context.strokeStyle = colours.rule;
    context.lineWidth = 1;
    context.strokeRect(LEFT + 0.5, ABOVE + 0.5, right - LEFT - 1, bottom - ABOVE - 1);
    context.fillStyle = colours.muted;
    context.textBaseline = "alphabetic";
    context.beginPath();
    for (const [value, text] of labelled(ticks(...x, Math.max(2, Math.floor(width / 62))))) {
      context.moveTo(toX(value), bottom);
      context.lineTo(toX(value), bottom + 4);
      lettered(context, [[text, "", ""]], Math.min(toX(value), width - 3.6 * text.length), bottom + 17, 14, "center");
    }
    for (const [value, text] of labelled(ticksOf(...y, 5))) {
      context.moveTo(LEFT, toY(value));
      context.lineTo(LEFT - 4, toY(value));
      lettered(context, [[text, "", ""]], LEFT - 7, toY(value) + 4.5, 14, "right");
    }
    context.stroke();
    context.fillStyle = colours.ink;
    lettered(context, names[0], (LEFT + right) / 2, height - 6, 17, "center");
    context.save();
    context.translate(13, (ABOVE + bottom) / 2);
    context.rotate(names[1].length > 2 ? -Math.PI / 2 : 0);
    lettered(context, names[1], 0, 4, 17, "center");
    context.restore();
  }
  const grouped = text => text.replace(/(?<!\.\d*)\B(?=(\d{3})+(?!\d))/g, "\u202f");
  const labelled = found =>
    found.map(tick => (Array.isArray(tick) ? tick : [tick, Math.abs(tick) < 1e4 ? brief(tick) : grouped(brief(tick))]));

  const columns = k => facts.X.map(x => x[k]);
  function padded(values, share = 0.08) {
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const more = low === high ? 1 : (high - low) * share;
    return [low - more, high + more];
  }

  // Shapes and colours of classes.
  function mark(context, shape, x, y, r) {
    context.beginPath();
    if (shape === 0) context.arc(x, y, r, 0, 7);
    else if (shape === 1) context.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
    else if (shape === 2) {
      context.moveTo(x, y - r * 1.2);
      context.lineTo(x + r * 1.1, y + r * 0.8);
      context.lineTo(x - r * 1.1, y + r * 0.8);
    } else {
      context.moveTo(x, y - r * 1.3);
      context.lineTo(x + r * 1.3, y);
      context.lineTo(x, y + r * 1.3);
      context.lineTo(x - r * 1.3, y);
    }
    context.closePath();
  }
  const SHAPES = [
    "M8 2a6 6 0 1 0 .01 0z",
    "M3 3h10v10h-10z",
    "M8 1.5l6.5 12h-13z",
    "M8 .8l7.2 7.2l-7.2 7.2l-7.2 -7.2z",
  ];
  const radius = facts.X.length > 250 ? 3 : facts.X.length > 80 ? 3.8 : 5;
  const single = facts.y.every(target => !Array.isArray(target));

  // The plane of two inputs.
  const dimensions = trainer.inputs;
  const CELLS = Math.round(Math.min(Math.max(Math.sqrt(4e6 / (facts.equations + 100)), 24), 72));
  const field = new Float64Array((CELLS + 1) ** 2 * facts.outputs);
  const small = document.createElement("canvas");
  const span = [0, 1].map(k => (k < dimensions ? padded(columns(k)) : null));
  const range = single ? padded(facts.y, 0) : [0, 1];

  // How sure a number is of its class, from -1 to 1; of targets that are no classes how large it is among them.
  const strength = z =>
    !classes
      ? Math.max(-1, Math.min(1, (z - (range[0] + range[1]) / 2) / ((range[1] - range[0]) / 2)))
      : classes.threshold === 0.5
        ? Math.max(-1, Math.min(1, 2 * z - 1))
        : Math.tanh(z / 2);

  function paintPlane() {
    const canvas = byId("plane-canvas");
    if (dimensions === 1) paintLine(canvas);
    if (dimensions !== 2) return;
    const side = CELLS + 1;
    const {outputs} = facts;
    const [across, up] = span;
    const x = [0, 0];
    const z = new Float64Array(outputs);
    for (let j = 0; j < side; j++)
      for (let i = 0; i < side; i++) {
        x[0] = across[0] + ((across[1] - across[0]) * i) / CELLS;
        x[1] = up[1] - ((up[1] - up[0]) * j) / CELLS;
        trainer.outputs(x, z);
        field.set(z, (j * side + i) * outputs);
      }
    small.width = small.height = side;
    const inside = small.getContext("2d");
    const image = inside.createImageData(side, side);
    const page = rgb(colours.page);
    const shades = classColours.map(rgb);
    for (let c = 0; c < side * side; c++) {
      let colour;
      if (outputs === 1 || !classes) {
        const s = strength(field[c * outputs]);
        colour = mixed(page, shades[Number(s > 0)], 0.06 + 0.42 * Math.abs(s));
      } else
        colour = mixed(
          page,
          shades[trainer.classOf(field.subarray(c * outputs, (c + 1) * outputs)) % shades.length],
          0.32,
        );
      image.data.set([...colour, 255], c * 4);
    }
    inside.putImageData(image, 0, 0);
    plot(canvas, {x: across, y: up, names: facts.inputs}, (context, toX, toY, frame) => {
      // The cells' middles stand on the frame.
      const half = [frame.width / CELLS / 2, frame.height / CELLS / 2];
      context.imageSmoothingEnabled = outputs === 1 || !classes;
      context.drawImage(
        small,
        frame.left - half[0],
        frame.top - half[1],
        frame.width + 2 * half[0],
        frame.height + 2 * half[1],
      );
      if (classes && outputs === 1) contour(context, frame, side);
      facts.X.forEach((x, i) => paintPoint(context, i, toX(x[0]), toY(x[1])));
    });
  }

  // The line where the output is the threshold, straight through each cell.
  function contour(context, frame, side) {
    const level = classes.threshold;
    context.beginPath();
    for (let j = 0; j < CELLS; j++)
      for (let i = 0; i < CELLS; i++) {
        const corners = [
          [i, j],
          [i + 1, j],
          [i + 1, j + 1],
          [i, j + 1],
        ];
        const values = corners.map(([a, b]) => field[b * side + a] - level);
        const ends = [];
        for (let k = 0; k < 4; k++) {
          const [a, b] = [values[k], values[(k + 1) % 4]];
          if (a > 0 === b > 0) continue;
          const [from, to] = [corners[k], corners[(k + 1) % 4]];
          const t = a / (a - b);
          ends.push([0, 1].map(d => from[d] + (to[d] - from[d]) * t));
        }
        for (let k = 0; k + 1 < ends.length; k += 2)
          for (const [where, [a, b]] of [
            ["moveTo", ends[k]],
            ["lineTo", ends[k + 1]],
          ])
            context[where](frame.left + (a / CELLS) * frame.width, frame.top + (b / CELLS) * frame.height);
      }
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.stroke();
  }

  function paintPoint(context, i, x, y) {
    const kind = classes ? classes.of[i] : 0;
    const wrong = classes && !trainer.isRight(i);
    mark(context, kind % SHAPES.length, x, y, radius);
    context.fillStyle = classes
      ? classColour(kind)
      : single
        ? `rgb(${mixed(rgb(colours.page), rgb(classColours[Number(strength(facts.y[i]) > 0)]), 0.25 + 0.75 * Math.abs(strength(facts.y[i])))})`
        : colours.ink;
    context.strokeStyle = wrong || !classes ? colours.ink : colours.page;
    context.lineWidth = wrong ? 2 : 1;
    context.fill();
    context.stroke();
  }

  // The curve over one input.
  function paintLine(canvas) {
    const N = 240;
    const x = span[0];
    const many = facts.outputs;
    const z = new Float64Array(many);
    const lines = Array.from({length: many}, () => []);
    for (let i = 0; i <= N; i++) {
      const at = x[0] + ((x[1] - x[0]) * i) / N;
      trainer.outputs([at], z);
      z.forEach((value, k) => lines[k].push([at, value]));
    }
    const targets = facts.y.map((t, i) => (single && !(many > 1 && classes) ? t : classes ? 1 : t[0]));
    const y = padded([
      ...targets,
      ...lines
        .flat()
        .map(point => point[1])
        .filter(Number.isFinite),
    ]);
    const letter = many > 1 ? [["outputs", "", ""]] : [["y", "i", ""]];
    plot(canvas, {x, y, names: [facts.inputs[0], letter]}, (context, toX, toY) => {
      facts.X.forEach((v, i) => paintPoint(context, i, toX(v[0]), toY(targets[i])));
      lines.forEach((line, k) => {
        context.beginPath();
        line.forEach(([a, b], i) => context[i ? "lineTo" : "moveTo"](toX(a), toY(b)));
        context.strokeStyle = many > 1 ? classColour(k) : colours.ink;
        context.lineWidth = 2.5;
        context.stroke();
      });
    });
  }

  function paintCurve() {
    const {costs, every, steps, cost} = trainer;
    const log = byId("log").checked && costs.every(c => c > 0);
    const scale = log ? Math.log10 : c => c;
    const points = costs.map((c, i) => [i * every, scale(c)]);
    points.push([steps, scale(cost)]);
    const values = points.map(point => point[1]);
    const high = values.reduce((a, b) => Math.max(a, b));
    const low = values.reduce((a, b) => Math.min(a, b));
    const y = log
      ? [low - 0.05 * (high - low || 1), high + 0.08 * (high - low || 1)]
      : [Math.min(0, low) - 0.04 * Math.abs(high), high + 0.08 * Math.abs(high) || 1];
    const ticksOf = log
      ? (a, b) => {
          const whole = ticks(a, b, 5).filter(Number.isInteger);
          return whole.length > 1
            ? whole.map(k => [k, power(k)])
            : ticks(a, b, 4).map(k => [k, String(Number((10 ** k).toPrecision(2)))]);
        }
      : ticks;
    plot(
      byId("curve-canvas"),
      {x: [0, 1.03 * Math.max(steps, 10)], y, ticksOf, names: [[["steps", "", ""]], [["J", "i", ""]]]},
      (context, toX, toY) => {
        const thin = Math.max(1, Math.floor(points.length / 600));
        context.beginPath();
        points
          .filter((_, i) => i % thin === 0 || i === points.length - 1)
          .forEach(([a, b], i) => context[i ? "lineTo" : "moveTo"](toX(a), toY(b)));
        context.strokeStyle = colours.gradient;
        context.lineWidth = 2.2;
        context.lineJoin = "round";
        context.stroke();
        context.beginPath();
        context.arc(toX(steps), toY(points.at(-1)[1]), 4, 0, 7);
        context.fillStyle = colours.gradient;
        context.fill();
      },
    );
  }

  // The net.
  let shows = "weights";
  let looked = null;
  let wires = [];
  let boxes = [];
  let rows = [];
  const nameOf = k => facts.parameters[k].name;
  function buildBoard() {
    if (!board) {
      byId("board").replaceChildren(
        made(
          "p",
          {class: "note"},
          "The net is not drawn: it has no layers of named neurons, or too many wires to tell apart.",
        ),
      );
      document.querySelector(".seg").hidden = true;
      return;
    }
    const svg = drawn("svg", {
      viewBox: `-4 0 ${board.width + 8} ${board.height + 6}`,
      role: "group",
      "aria-labelledby": "net-title",
    });
    // A tall net is made smaller, as long as its letters can be read.
    const inner = made("div");
    inner.style.maxWidth = `${Math.round(board.width * Math.max(0.78, Math.min(1.15, 620 / board.height)))}px`;
    inner.style.minWidth = `${Math.round(board.width * 0.78)}px`;
    const all = drawn("g", {
      class: "wires",
      tabindex: "0",
      role: "application",
      "aria-roledescription": "wires",
      "aria-label": "Wires: the arrow keys up and down go from one to the next",
      "aria-describedby": "read",
    });
    const numbers = drawn("g", {class: "wires"});
    wires = board.wires
      .map(({ends: [x1, y1, x2, y2], weight, number}) => {
        if (weight === null) {
          const group = drawn("g", {class: "arrow"});
          const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
          group.append(
            drawn("line", {
              x1,
              y1,
              x2: x2 - 8 * Math.cos((angle * Math.PI) / 180),
              y2: y2 - 8 * Math.sin((angle * Math.PI) / 180),
            }),
            drawn("path", {d: "M0 0l-11 -4.5v9z", transform: `translate(${x2} ${y2}) rotate(${angle})`}),
          );
          all.append(group);
          return null;
        }
        const group = drawn("g", {class: "wire"});
        const line = drawn("line", {x1, y1, x2, y2});
        group.append(line, drawn("line", {class: "hit", x1, y1, x2, y2}));
        group.addEventListener("pointerenter", () => look(weight));
        group.addEventListener("pointerleave", () => look(null));
        all.append(group);
        let pill = null;
        let text = null;
        if (number) {
          const over = drawn("g", {class: "wire"});
          pill = drawn("rect", {y: number[1] - 10, height: 19, rx: 5});
          text = drawn("text", {x: number[0], y: number[1] + 4.5});
          over.append(pill, text);
          over.style.pointerEvents = "none";
          numbers.append(over);
        }
        return {weight, group, line, pill, text, middle: number && number[0]};
      })
      .filter(Boolean);
    svg.append(all, numbers);
    for (const [text, x, y] of board.captions) svg.append(drawn("text", {class: "caption", x, y}, text));
    boxes = board.boxes.map(({kind, name, biases, at: [x, y, width, height]}) => {
      const group = drawn("g", {class: `box ${kind}`});
      const cost = kind === "output";
      const rounded = kind === "data" ? 0 : 7;
      group.append(drawn("rect", {x: x - width / 2, y: y - height / 2, width, height, rx: rounded}));
      const middle = maps && kind === "result" ? x + SIDE / 2 + 2 : x;
      const label = drawn("text", {x: middle, y: biases.length ? y - 3 : y + 6});
      const value = cost ? drawn("tspan", {class: "number"}) : null;
      if (cost) label.append(drawn("tspan", {"font-style": "italic"}, "J"), drawn("tspan", {}, " = "), value);
      else label.append(...spans(name, 18));
      const bias = biases.length ? drawn("text", {class: "bias", x: middle, y: y + 16}) : null;
      group.append(label, ...(bias ? [bias] : []));
      if (bias) {
        group.addEventListener("pointerenter", () => look(biases[0]));
        group.addEventListener("pointerleave", () => look(null));
      }
      svg.append(group);
      return {bias, value, k: biases[0]};
    });
    all.addEventListener("focus", () => look(looked ?? wires[0]?.weight ?? null));
    all.addEventListener("blur", () => look(null));
    all.addEventListener("keydown", event => {
      const move = {ArrowDown: 1, ArrowUp: -1}[event.key];
      if (!move) return;
      event.preventDefault();
      const at = wires.findIndex(wire => wire.weight === looked);
      look(wires[(at + move + wires.length) % wires.length].weight);
      announce(byId("read").textContent, 0);
    });
    inner.append(svg);
    if (maps) inner.append(maps);
    byId("board").append(inner);
    if (!wires.length) all.removeAttribute("tabindex");
    byId("net-key").append(
      keyed("M1 6h14v4h-14z", "var(--positive)", "above 0"),
      keyed("M1 6h14v4h-14z", "var(--negative)", "below 0"),
      made("li", {}, "the wider a wire, the larger its number"),
    );
    byId("net-key").append(
      made("li", {"data-when": "gradients"}, "wires: derivatives of the cost in the weights; neurons: in their b"),
    );
    if (maps) byId("net-key").append(made("li", {}, "in a neuron: its output over the plane"));
  }
  // The plane of each neuron in small, on a canvas over the picture; blue is above the middle of its range.
  const SIDE = 40;
  const GRID = 20;
  const maps = board && dimensions === 2 ? made("canvas", {"aria-hidden": "true"}) : null;
  const mapped = board ? board.boxes.filter(({kind}) => kind === "result") : [];
  const sheet = new Float64Array(mapped.length * GRID * GRID);
  const fired = new Float64Array(mapped.length);
  function paintMaps() {
    if (!maps || !maps.clientWidth) return;
    const [across, up] = span;
    const scale = devicePixelRatio || 1;
    const x = [0, 0];
    for (let j = 0; j < GRID; j++)
      for (let i = 0; i < GRID; i++) {
        x[0] = across[0] + ((across[1] - across[0]) * (i + 0.5)) / GRID;
        x[1] = up[1] - ((up[1] - up[0]) * (j + 0.5)) / GRID;
        trainer.neurons(x, fired);
        fired.forEach((a, k) => {
          sheet[(k * GRID + j) * GRID + i] = a;
        });
      }
    maps.width = Math.round(maps.clientWidth * scale);
    maps.height = Math.round(maps.clientHeight * scale);
    const context = maps.getContext("2d");
    const zoom = maps.width / (board.width + 8);
    const page = rgb(colours.page);
    const shades = [colours.negative, colours.positive].map(rgb);
    const image = context.createImageData(GRID, GRID);
    context.setTransform(zoom, 0, 0, zoom, 4 * zoom, 0);
    small.width = small.height = GRID;
    mapped.forEach(({at: [left, top, width]}, k) => {
      const values = sheet.subarray(k * GRID * GRID, (k + 1) * GRID * GRID);
      let low = Infinity;
      let high = -Infinity;
      for (const a of values) {
        low = Math.min(low, a);
        high = Math.max(high, a);
      }
      const middle = (low + high) / 2;
      const half = Math.max((high - low) / 2, 0.1);
      values.forEach((a, c) => {
        const s = (a - middle) / half;
        image.data.set([...mixed(page, shades[Number(s > 0)], 0.06 + 0.6 * Math.abs(s)), 255], c * 4);
      });
      small.getContext("2d").putImageData(image, 0, 0);
      context.drawImage(small, left - width / 2 + 6, top - SIDE / 2, SIDE, SIDE);
    });
  }
  function keyed(path, fill, text) {
    const item = made("li");
    const svg = drawn("svg", {viewBox: "0 0 16 16", "aria-hidden": "true"});
    const shape = drawn("path", {d: path});
    shape.style.fill = fill;
    svg.append(shape);
    item.append(svg, text);
    return item;
  }
  function paintBoard() {
    paintMaps();
    const numbers = shows === "weights" ? trainer.parameters : trainer.slopes;
    const most = wires.reduce((top, {weight}) => Math.max(top, Math.abs(numbers[weight])), 0) || 1;
    for (const {weight, group, line, pill, text, middle} of wires) {
      const x = numbers[weight];
      const sign = x < 0 ? "minus" : "plus";
      line.setAttribute("class", sign);
      line.setAttribute("stroke-width", (1.2 + (4.8 * Math.abs(x)) / most).toFixed(2));
      group.classList.toggle("at", weight === looked);
      if (!text) continue;
      const written = signed(x);
      const width = written.length * 7.2 + 5;
      text.textContent = written;
      text.setAttribute("class", `${sign}-text`);
      pill.setAttribute("x", middle - width / 2);
      pill.setAttribute("width", width);
    }
    for (const {bias, value, k} of boxes) {
      if (value) value.textContent = format(trainer.cost, 4);
      if (!bias) continue;
      const slope = shows === "gradients";
      bias.classList.toggle("slope", slope);
      if (slope) bias.textContent = format(numbers[k], 3);
      else
        bias.replaceChildren(
          drawn("tspan", {"font-style": "italic"}, "b"),
          drawn("tspan", {}, ` = ${format(numbers[k], 3)}`),
        );
    }
    for (const item of document.querySelectorAll("[data-when]")) item.hidden = item.dataset.when !== shows;
  }
  const slopeName = k => [["d", "", ""], ["J", "i", ""], ["/d", "", ""], ...nameOf(k)];
  function look(k) {
    looked = k;
    for (const row of rows) row.row.classList.toggle("at", row.k === k);
    paintBoard();
    paintRead();
  }
  function paintRead() {
    const k = looked;
    byId("read").replaceChildren(
      ...(k === null
        ? []
        : [
            ...typeset(nameOf(k)),
            ` = ${format(trainer.parameters[k])},  `,
            ...typeset(slopeName(k)),
            ` = ${format(trainer.slopes[k])}`,
          ]),
    );
  }

  function buildTable() {
    const body = document.querySelector("tbody");
    rows = facts.parameters.map(({name}, k) => {
      const row = made("tr");
      const head = made("th", {scope: "row"});
      const value = made("td");
      const slope = made("td");
      head.append(...typeset(name));
      row.append(head, value, slope);
      row.addEventListener("pointerenter", () => look(k));
      row.addEventListener("pointerleave", () => look(null));
      body.append(row);
      return {row, value, slope, k};
    });
  }
  function paintTable() {
    for (const {value, slope, k} of rows) {
      value.textContent = format(trainer.parameters[k]);
      slope.textContent = format(trainer.slopes[k]);
    }
  }

  const percent = share => `${Number((100 * share).toFixed(1))} %`;
  function summary() {
    const {steps, cost} = trainer;
    const right = trainer.accuracy();
    return `Step ${steps}: cost ${format(cost)}${right === null ? "" : `, accuracy ${percent(right)}`}`;
  }
  function paintNumbers() {
    byId("steps").textContent = grouped(String(trainer.steps));
    byId("cost").textContent = format(trainer.cost);
    const right = trainer.accuracy();
    if (right !== null) byId("accuracy").textContent = percent(right);
  }
  function paint() {
    paintNumbers();
    paintPlane();
    paintCurve();
    paintBoard();
    paintTable();
    paintRead();
    byId("plane-canvas").setAttribute("aria-label", `${byId("plane-title").textContent}. ${summary()}`);
    byId("curve-canvas").setAttribute(
      "aria-label",
      `Cost over the steps, from ${format(trainer.costs[0])} to ${format(trainer.cost)}`,
    );
  }

  // Announcements, one a second at most.
  let timer = 0;
  let said = 0;
  function announce(text, wait = 300) {
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        said = performance.now();
        byId("live").textContent = text;
      },
      Math.max(wait, said + 1000 - performance.now()),
    );
  }
  function tell(text) {
    byId("said").hidden = !text;
    byId("said").textContent = text;
    if (text) announce(text);
  }

  // Training.
  let playing = false;
  let rate = facts.rate;
  let last = 0;
  let due = 0;
  let painted = 0;
  let tabled = 0;
  let told = 0;
  const speed = () => Number(byId("speed").value);
  function take(count, until = Infinity) {
    for (let k = 0; k < count; k++) {
      if (!trainer.step(rate)) {
        pause();
        tell(
          `Step ${trainer.steps + 1} was not taken: the cost or a parameter would be too large for a number. Take a smaller learning rate.`,
        );
        return false;
      }
      if (performance.now() > until) break;
    }
    return true;
  }
  function frame(time) {
    if (!playing) return;
    const passed = Math.min(time - last, 250);
    last = time;
    due = Number.isFinite(speed()) ? due + (passed * speed()) / 1000 : Infinity;
    const steps = Math.floor(due);
    if (steps > 0) {
      if (!take(steps, performance.now() + 13)) return paint();
      due = Number.isFinite(due) ? Math.min(due - steps, 1) : 0;
      const gap = calm.matches ? 500 : 30;
      if (time - painted > gap) {
        painted = time;
        paintNumbers();
        paintPlane();
        paintCurve();
        paintRead();
        if (time - tabled > Math.max(gap, n > 400 ? 1000 : 120)) {
          tabled = time;
          paintBoard();
          paintTable();
        }
      }
      if (time - told > 3000) {
        told = time;
        announce(summary());
      }
    }
    requestAnimationFrame(frame);
  }
  function play() {
    if (playing || frozen) return;
    playing = true;
    tell("");
    byId("play").textContent = "❚❚ Pause";
    due = 1;
    told = performance.now();
    requestAnimationFrame(time => {
      last = time;
      frame(time);
    });
  }
  function pause() {
    if (!playing) return;
    playing = false;
    byId("play").textContent = "▶ Play";
    paint();
    announce(summary());
  }
  function go(count) {
    if (frozen) return;
    pause();
    tell("");
    if (take(count)) announce(summary());
    paint();
  }
  let seed = 0;
  function restart(parameters, text) {
    if (frozen) return;
    pause();
    tell("");
    trainer.reset(parameters);
    if (!Number.isFinite(trainer.cost)) tell("The cost of these weights is too large for a number: take smaller ones.");
    paint();
    announce(`${text} ${summary()}`);
  }
  function setRate(x, from) {
    if (!(x >= 0 && x < Infinity)) return;
    rate = x;
    if (from !== "rate") byId("rate").value = Number(x.toPrecision(6));
    if (from !== "rate-slider") byId("rate-slider").value = x > 0 ? Math.log10(x) : -4;
    byId("rate-slider").setAttribute("aria-valuetext", brief(x));
  }

  byId("play").addEventListener("click", () => (playing ? pause() : play()));
  byId("step").addEventListener("click", () => go(1));
  byId("ten").addEventListener("click", () => go(10));
  byId("reset").addEventListener("click", () => restart(undefined, "The weights are as they were at the start."));
  byId("fresh").addEventListener("click", () => {
    const size = Number(byId("size").value);
    if (size >= 0 && size < Infinity) restart(trainer.drawn(++seed, size), "New weights.");
  });
  byId("rate").addEventListener("input", event => {
    if (event.target.value !== "") setRate(Number(event.target.value), "rate");
  });
  byId("rate-slider").addEventListener("input", event =>
    setRate(Number((10 ** Number(event.target.value)).toPrecision(2)), "rate-slider"),
  );
  byId("speed").addEventListener("change", () => {
    due = 0;
  });
  byId("log").addEventListener("change", paintCurve);
  for (const button of document.querySelectorAll("[data-wires]"))
    button.addEventListener("click", () => {
      shows = button.dataset.wires;
      for (const other of document.querySelectorAll("[data-wires]"))
        other.setAttribute("aria-pressed", String(other === button));
      paintBoard();
    });
  document.addEventListener("keydown", event => {
    if (event.target.closest("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
    const region = event.target.closest(".scroll"); // which has keys of its own, if it can scroll
    if (region && (event.key === "Home" || (event.key !== " " && region.scrollWidth > region.clientWidth))) return;
    if (event.key === " " && !event.target.closest("button")) playing ? pause() : play();
    else if (event.key === "ArrowRight") go(event.shiftKey ? 10 : 1);
    else if (event.key === "Home") byId("reset").click();
    else return;
    event.preventDefault();
  });

  // The page as it opens.
  const described = [
    `${facts.X.length} example${facts.X.length === 1 ? "" : "s"}`,
    `${n} parameter${n === 1 ? "" : "s"}`,
    `loss: ${facts.loss}`,
    "each step goes down the gradient over all examples",
  ];
  if (facts.decay) described.push(`weight decay ${brief(facts.decay)}`);
  byId("about").textContent = described.join(" · ");
  byId("right").hidden = !classes;
  const weights = facts.parameters.filter((_, k) => !facts.biases.includes(k)).map(({start}) => start);
  byId("size").value = Number(
    (Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / (weights.length || 1)) || 0.5).toPrecision(2),
  );
  if (dimensions > 2) {
    byId("plane-canvas").hidden = true;
    byId("plane-none").hidden = false;
    byId("plane-none").textContent =
      `A plane has two directions, and this net has ${dimensions} inputs: there is no picture of its boundary.`;
  } else if (classes) {
    const names = classes.names;
    const key = byId("plane-key");
    names.forEach((name, k) =>
      key.append(keyed(SHAPES[k % SHAPES.length], `var(--${CLASSES[k % CLASSES.length]})`, `class ${name}`)),
    );
    if (dimensions === 2 && facts.outputs === 1) key.append(keyed("M0 7h16v2h-16z", "var(--ink)", "boundary"));
    key.append(made("li", {}, "outlined: wrong class"));
  } else if (dimensions === 2 && single) {
    byId("plane-key").append(
      keyed(SHAPES[0], "var(--negative)", brief(range[0])),
      keyed(SHAPES[0], "var(--positive)", brief(range[1])),
      made("li", {}, "points: targets, plane: output of the net"),
    );
  }
  if (dimensions !== 2 || !classes) byId("plane-title").textContent = dimensions > 2 ? "Boundary" : "Output of the net";
  if (frozen) {
    for (const id of ["play", "step", "ten", "reset", "fresh"]) byId(id).setAttribute("aria-disabled", "true");
    tell("Training is off: JavaScript computes other numbers than the engine did.");
  }
  followThemes();
  setRate(facts.rate);
  readColours();
  buildBoard();
  buildTable();
  const repaint = () => {
    readColours();
    paint();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
  // A notebook may load the page out of sight.
  new ResizeObserver(() => {
    paintPlane();
    paintCurve();
    paintMaps();
  }).observe(document.querySelector(".grid"));
  paint();
})();
