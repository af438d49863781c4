"use strict";
// Plots on canvases: a frame with axes, their numbers and names, around what somebody else draws.
function makeAxes(palette, numbers) {
  const [LEFT, BELOW, ABOVE, BESIDE] = [54, 40, 12, 12];
  const FACE = '"Times New Roman", "Liberation Serif", Times, serif';
  const [NUMBER_SIZE, NAME_SIZE] = [14, 17];

  // Round numbers between two others: about as many as are wanted.
  function ticks(low, high, count) {
    const least = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(least));
    const gap = [1, 2, 5, 10].find(k => k * power >= least) * power;
    const found = [];
    for (let k = Math.ceil(low / gap - 1e-9); k * gap <= high + gap * 1e-9; k++) found.push(k * gap);
    return found;
  }

  // The text of a tick; below an axis there is room for longer numbers than beside one.
  function tickText(x, largest) {
    const {brief, grouped, format} = numbers;
    const size = Math.abs(x);
    if (x !== 0 && (size < 0.0001 || size >= largest)) return format(x, 2);
    return size < 1e4 ? brief(x) : grouped(brief(x));
  }

  const ticksBelow = (low, high, count) => ticks(low, high, count).map(x => [x, tickText(x, 1e7)]);
  const ticksBeside = (low, high, count) => ticks(low, high, count).map(x => [x, tickText(x, 1e5)]);

  // The context of a canvas, which has as many pixels as the screen. A change of its size clears a canvas.
  function contextOf(canvas) {
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map(x => Math.round(x * scale));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    return context;
  }

  // Write markup on a canvas.
  function write(context, markup, x, y, size, align) {
    const pieces = measured(context, markup, size);
    const width = pieces.reduce((sum, piece) => sum + piece.width, 0);
    let at = x - width * {left: 0, center: 0.5, right: 1}[align];
    context.textAlign = "left";
    for (const piece of pieces) {
      context.font = piece.font;
      context.fillText(piece.text, at, y + size * piece.level);
      at += piece.width;
    }
  }

  function measured(context, markup, size) {
    return textPieces(markup).map(({text, italic, level}) => {
      const font = `${italic ? "italic " : ""}${level ? size * 0.7 : size}px ${FACE}`;
      context.font = font;
      return {text, level, font, width: context.measureText(text).width};
    });
  }

  // Draw a plot. `x` and `y` are the ranges, `names` those of the axes as markup. `ticksOf` returns the numbers on the
  // upright axis, each with its text. `draw` gets the context, two functions from numbers to pixels, and the frame.
  function plot(canvas, {x, y, names, ticksOf = ticksBeside}, draw) {
    const {clientWidth: width, clientHeight: height} = canvas;
    if (!width || !height) return;
    const context = contextOf(canvas);
    const frame = {left: LEFT, top: ABOVE, width: width - LEFT - BESIDE, height: height - BELOW - ABOVE};
    const bottom = height - BELOW;
    const toX = number => LEFT + ((number - x[0]) / (x[1] - x[0])) * frame.width;
    const toY = number => bottom - ((number - y[0]) / (y[1] - y[0])) * frame.height;

    context.save();
    context.beginPath();
    context.rect(frame.left, frame.top, frame.width, frame.height);
    context.clip();
    draw(context, toX, toY, frame);
    context.restore();

    context.strokeStyle = palette.paint("line");
    context.lineWidth = 1;
    context.strokeRect(LEFT + 0.5, ABOVE + 0.5, frame.width - 1, frame.height - 1);
    context.fillStyle = palette.paint("muted");
    context.textBaseline = "alphabetic";
    context.beginPath();
    for (const [number, text] of ticksBelow(...x, Math.max(2, Math.floor(width / 62)))) {
      context.moveTo(toX(number), bottom);
      context.lineTo(toX(number), bottom + 4);
      const inside = Math.min(toX(number), width - 3.6 * text.length);
      write(context, text, inside, bottom + 17, NUMBER_SIZE, "center");
    }
    for (const [number, text] of ticksOf(...y, 5)) {
      context.moveTo(LEFT, toY(number));
      context.lineTo(LEFT - 4, toY(number));
      write(context, text, LEFT - 7, toY(number) + 4.5, NUMBER_SIZE, "right");
    }
    context.stroke();
    writeNames(context, names, frame, height);
  }

  function writeNames(context, [below, beside], {left, top, width, height}, bottom) {
    context.fillStyle = palette.paint("ink");
    write(context, below, left + width / 2, bottom - 6, NAME_SIZE, "center");
    context.save();
    context.translate(13, top + height / 2);
    // A word has no room beside the numbers, unless it is turned.
    if (plainText(beside).length > 3) context.rotate(-Math.PI / 2);
    write(context, beside, 0, 4, NAME_SIZE, "center");
    context.restore();
  }

  return {plot, ticks, contextOf};
}
