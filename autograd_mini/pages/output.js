"use strict";
// The output of the net: over the plane of two inputs, or as a curve over one input; and the examples in it.
function makeOutput(facts, trainer, axes, palette, numbers) {
  const {X, y, classes, outputs: count} = facts;
  const {inputs} = trainer;
  const canvas = byId("plane-canvas");
  const isNumber = y.every(target => !Array.isArray(target));
  const isShaded = count === 1 || !classes; // else each class has its colour
  const columns = [0, 1].slice(0, inputs).map(k => padded(X.map(x => x[k]))); // the ranges of the inputs
  const targets = isNumber ? padded(y, 0) : [0, 1]; // the range of the targets

  // Shapes of classes, around (8, 8), of the size that a circle of radius 6 has.
  const SHAPES = [
    "M8 2a6 6 0 1 0 .01 0z",
    "M2.6 2.6h10.8v10.8h-10.8z",
    "M8 .8l6.6 12h-13.2z",
    "M8 .2l7.8 7.8l-7.8 7.8l-7.8 -7.8z",
  ];
  const size = (X.length > 250 ? 3 : X.length > 80 ? 3.8 : 5) / 6;
  const marks = SHAPES.map(shape => {
    const mark = new Path2D();
    mark.addPath(new Path2D(shape), new DOMMatrix([size, 0, 0, size, -8 * size, -8 * size]));
    return mark;
  });

  // The smallest and the largest of numbers, with room at both ends.
  function padded(values, share = 0.08) {
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const room = low === high ? 1 : (high - low) * share;
    return [low - room, high + room];
  }

  // How sure an output is of its class, from -1 to 1; without classes how large it is among the targets.
  function strength(z) {
    const [low, high] = targets;
    if (classes && classes.threshold !== 0.5) return Math.tanh(z / 2);
    const scaled = classes ? 2 * z - 1 : (z - (low + high) / 2) / ((high - low) / 2);
    return Math.max(-1, Math.min(1, scaled));
  }

  function paintExample(context, i, x, y) {
    const kind = classes ? classes.of[i] : 0;
    const isWrong = classes && !trainer.isRight(i);
    const mark = marks[kind % marks.length];
    if (classes) context.fillStyle = palette.paint(palette.nameOfClass(kind));
    else
      context.fillStyle = isNumber
        ? palette.css(palette.shade(strength(facts.y[i]), 0.25, 0.75))
        : palette.paint("ink");
    context.strokeStyle = palette.paint(isWrong || !classes ? "ink" : "page");
    context.lineWidth = isWrong ? 2 : 1;
    context.translate(x, y);
    context.fill(mark);
    context.stroke(mark);
    context.translate(-x, -y);
  }

  // The plane.

  const CELLS = Math.round(Math.min(Math.max(Math.sqrt(4e6 / (facts.equations + 100)), 24), 72)); // fewer of a large net
  const SIDE = CELLS + 1; // points on a side
  const field = new Float64Array(SIDE ** 2 * count);
  const image = element("canvas", {width: SIDE, height: SIDE}); // a pixel for each point

  function computeField() {
    const [[left, right], [bottom, top]] = columns;
    const z = new Float64Array(count);
    for (let j = 0; j < SIDE; j++)
      for (let i = 0; i < SIDE; i++) {
        trainer.outputs([left + ((right - left) * i) / CELLS, top - ((top - bottom) * j) / CELLS], z);
        field.set(z, (j * SIDE + i) * count);
      }
  }

  function colourOf(z) {
    if (isShaded) return palette.shade(strength(z[0]), 0.06, 0.42);
    const name = palette.nameOfClass(trainer.classOf(z));
    return palette.mixed(palette.colour("page"), palette.colour(name), 0.32);
  }

  function paintImage() {
    const context = image.getContext("2d");
    const pixels = context.createImageData(SIDE, SIDE);
    for (let c = 0; c < SIDE ** 2; c++)
      pixels.data.set([...colourOf(field.subarray(c * count, (c + 1) * count)), 255], c * 4);
    context.putImageData(pixels, 0, 0);
  }

  function paintPlane() {
    computeField();
    paintImage();
    const [x, y] = columns;
    axes.plot(canvas, {x, y, names: facts.inputs}, (context, toX, toY, {left, top, width, height}) => {
      // The pixels' middles stand on the frame.
      const [across, up] = [width / CELLS, height / CELLS];
      context.imageSmoothingEnabled = isShaded;
      context.drawImage(image, left - across / 2, top - up / 2, width + across, height + up);
      if (classes && count === 1) paintBoundary(context, (i, j) => [left + i * across, top + j * up]);
      X.forEach((example, i) => paintExample(context, i, toX(example[0]), toY(example[1])));
    });
  }

  // The line where the output is the threshold; `place` turns a point of the field into pixels.
  function paintBoundary(context, place) {
    context.beginPath();
    for (let j = 0; j < CELLS; j++)
      for (let i = 0; i < CELLS; i++) {
        const ends = crossings(i, j);
        for (let k = 0; k + 1 < ends.length; k += 2) {
          context.moveTo(...place(...ends[k]));
          context.lineTo(...place(...ends[k + 1]));
        }
      }
    context.strokeStyle = palette.paint("ink");
    context.lineWidth = 2;
    context.stroke();
  }

  // The points where the boundary crosses the sides of a cell.
  function crossings(i, j) {
    const corners = [
      [i, j],
      [i + 1, j],
      [i + 1, j + 1],
      [i, j + 1],
    ];
    const above = corners.map(([a, b]) => field[b * SIDE + a] - classes.threshold);
    const found = [];
    for (let k = 0; k < 4; k++) {
      const next = (k + 1) % 4;
      if (above[k] > 0 === above[next] > 0) continue;
      const share = above[k] / (above[k] - above[next]);
      found.push([0, 1].map(d => corners[k][d] + (corners[next][d] - corners[k][d]) * share));
    }
    return found;
  }

  // The curve.

  const STEPS = 240;
  // Where an example stands above the axis: a class that is one of several outputs stands at 1, as a share would.
  const heights = y.map(target =>
    !isNumber && !classes ? target[0] : classes && (!isNumber || count > 1) ? 1 : target,
  );

  function paintCurve() {
    const [x] = columns;
    const z = new Float64Array(count);
    const curves = Array.from({length: count}, () => []);
    for (let i = 0; i <= STEPS; i++) {
      const at = x[0] + ((x[1] - x[0]) * i) / STEPS;
      trainer.outputs([at], z);
      z.forEach((value, k) => curves[k].push([at, value]));
    }
    const values = curves.flat().map(point => point[1]);
    const ranges = {
      x,
      y: padded([...heights, ...values.filter(Number.isFinite)]),
      names: [facts.inputs[0], count > 1 ? "outputs" : "<i>y</i>"],
    };
    axes.plot(canvas, ranges, (context, toX, toY) => {
      X.forEach((example, i) => paintExample(context, i, toX(example[0]), toY(heights[i])));
      curves.forEach((curve, k) => {
        context.beginPath();
        for (const [at, value] of curve) context.lineTo(toX(at), toY(value));
        context.strokeStyle = palette.paint(count > 1 ? palette.nameOfClass(k) : "ink");
        context.lineWidth = 2.5;
        context.stroke();
      });
    });
  }

  // The title, and the key of colours and shapes.

  function keyOfClasses() {
    const items = classes.names.map((name, k) =>
      palette.keyItem(SHAPES[k % SHAPES.length], palette.nameOfClass(k), `class ${name}`),
    );
    if (inputs === 2 && count === 1) items.push(palette.keyItem("M0 7h16v2h-16z", "ink", "boundary"));
    return [...items, element("li", {}, "outlined: wrong class")];
  }

  function keyOfNumbers() {
    return [
      palette.keyItem(SHAPES[0], "negative", numbers.brief(targets[0])),
      palette.keyItem(SHAPES[0], "positive", numbers.brief(targets[1])),
      element("li", {}, "points: targets, plane: output of the net"),
    ];
  }

  function describe() {
    if (inputs > 2) {
      byId("plane-title").textContent = "Boundary";
      byId("plane-none").textContent = `A picture has room for two inputs, and this net has ${inputs} inputs.`;
      byId("plane-none").hidden = false;
      canvas.hidden = true;
      return;
    }
    if (inputs === 1 || !classes) byId("plane-title").textContent = "Output of the net";
    if (classes) byId("plane-key").append(...keyOfClasses());
    else if (inputs === 2 && isNumber) byId("plane-key").append(...keyOfNumbers());
  }

  function paint() {
    if (inputs === 1) paintCurve();
    else if (inputs === 2) paintPlane();
  }

  describe();
  return {paint, columns};
}
