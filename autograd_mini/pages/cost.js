"use strict";
// The cost over the steps, linear or logarithmic.
function makeCost(canvas, trainer, axes, palette, numbers) {
  const MOST_POINTS = 600; // more would only be slow

  function logarithmicTicks(low, high) {
    const whole = axes.ticks(low, high, 5).filter(Number.isInteger);
    if (whole.length > 1) return whole.map(k => [k, numbers.powerOfTen(k)]);
    return axes.ticks(low, high, 4).map(k => [k, String(Number((10 ** k).toPrecision(2)))]);
  }

  // The range of the upright axis: with 0, but where it is logarithmic.
  function range(values, isLogarithmic) {
    const high = values.reduce((a, b) => Math.max(a, b));
    const low = values.reduce((a, b) => Math.min(a, b));
    const spread = high - low || 1;
    if (isLogarithmic) return [low - 0.05 * spread, high + 0.08 * spread];
    return [Math.min(0, low) - 0.04 * Math.abs(high), high + 0.08 * Math.abs(high) || 1];
  }

  function paint(wantsLogarithm) {
    const {costs, every, steps, cost} = trainer;
    const isLogarithmic = wantsLogarithm && costs.every(c => c > 0);
    const scale = isLogarithmic ? Math.log10 : c => c;
    const points = costs.map((c, i) => [i * every, scale(c)]);
    points.push([steps, scale(cost)]);
    const ranges = {
      x: [0, 1.03 * Math.max(steps, 10)],
      y: range(
        points.map(point => point[1]),
        isLogarithmic,
      ),
      names: ["steps", "<i>J</i>"],
    };
    if (isLogarithmic) ranges.ticksOf = logarithmicTicks;
    const gap = Math.max(1, Math.floor(points.length / MOST_POINTS));
    const shown = points.filter((_, i) => i % gap === 0 || i === points.length - 1);
    axes.plot(canvas, ranges, (context, toX, toY) => {
      context.beginPath();
      for (const [step, height] of shown) context.lineTo(toX(step), toY(height));
      context.strokeStyle = palette.paint("gradient");
      context.lineWidth = 2.2;
      context.lineJoin = "round";
      context.stroke();
      context.beginPath();
      context.arc(toX(steps), toY(points.at(-1)[1]), 4, 0, 7);
      context.fillStyle = palette.paint("gradient");
      context.fill();
    });
  }

  return {paint};
}
