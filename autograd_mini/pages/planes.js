"use strict";
// The plane of each neuron in small, on a canvas over the picture of the net: blue is above the middle of its range.
function makePlanes(board, trainer, [across, up], palette, axes) {
  const SIZE = 40; // in units of the picture
  const CELLS = 20;
  const neurons = board.boxes.filter(({kind}) => kind === "result");
  const canvas = element("canvas", {"aria-hidden": "true"});
  const image = element("canvas", {width: CELLS, height: CELLS});
  const field = neurons.map(() => new Float64Array(CELLS ** 2));

  function computeField() {
    const outputs = new Float64Array(neurons.length);
    for (let j = 0; j < CELLS; j++)
      for (let i = 0; i < CELLS; i++) {
        const x = across[0] + ((across[1] - across[0]) * (i + 0.5)) / CELLS;
        const y = up[1] - ((up[1] - up[0]) * (j + 0.5)) / CELLS;
        trainer.neurons([x, y], outputs);
        outputs.forEach((a, k) => (field[k][j * CELLS + i] = a));
      }
  }

  function paintImage(values) {
    const context = image.getContext("2d");
    const pixels = context.createImageData(CELLS, CELLS);
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const half = Math.max((high - low) / 2, 0.1); // so that a small difference looks small
    values.forEach((a, c) => {
      const shade = palette.shade((a - (low + high) / 2) / half, 0.06, 0.6);
      pixels.data.set([...shade, 255], c * 4);
    });
    context.putImageData(pixels, 0, 0);
  }

  function paint() {
    if (!canvas.clientWidth) return;
    computeField();
    const context = axes.contextOf(canvas);
    const zoom = canvas.clientWidth / board.width;
    context.scale(zoom, zoom);
    neurons.forEach(({at: [x, y, width]}, k) => {
      paintImage(field[k]);
      context.drawImage(image, x - width / 2 + 6, y - SIZE / 2, SIZE, SIZE);
    });
  }

  return {canvas, paint, size: SIZE};
}
