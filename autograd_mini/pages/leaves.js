"use strict";
// The sliders and number boxes of the leaves; `change(i, x)` is told each new number.
function makeLeaves(holder, engine, digits, change) {
  const {nodes, format} = engine;
  const first = engine.run({recorded: true}).values;

  // A round number beyond x, so that the hundred steps of a slider are round, too.
  function reach(x) {
    const least = Math.max(Math.abs(x) * 1.5, 1);
    const power = 10 ** Math.floor(Math.log10(least));
    return Math.min([1, 2, 5, 10].find(k => k * power >= least) * power, 1e307);
  }

  const rows = engine.leaves.map(i => {
    const far = Number.isFinite(first[i]) ? reach(Math.min(Math.abs(first[i]), 1e306)) : 1;
    const id = `leaf-${i}`;
    const slider = element("input", {type: "range", id, min: -far, max: far, step: far / 50});
    const label = plainText(engine.say("as number", {leaf: nodes[i].name}));
    const box = element("input", {type: "number", step: "any", "aria-label": label, inputmode: "decimal"});
    const ends = [-far, 0, far].map((x, k) => `<span style="left: ${50 * k}%">${format(x)}</span>`).join("");
    const slope = element("span", {class: "m"});
    slider.addEventListener("input", () => change(i, Number(Number(slider.value).toPrecision(12))));
    box.addEventListener("input", () => {
      if (box.value !== "") change(i, Number(box.value));
    });
    const row = element("div", {class: "leaf"});
    const scale = element("div", {class: "ends", "aria-hidden": "true"}, ends);
    row.append(element("label", {for: id, class: "m"}, nodes[i].name), slider, box, scale, slope);
    holder.append(row);
    return {i, slider, box, slope, far};
  });

  // Show the numbers of a run; the control that somebody moves is left alone.
  function paint(now, slopeOf, locked) {
    for (const {i, slider, box, slope} of rows) {
      const x = now.values[i];
      const isFinite = Number.isFinite(x);
      if (document.activeElement !== slider) slider.value = x;
      if (document.activeElement !== box) box.value = isFinite ? Number(x.toPrecision(digits)) : "";
      slider.setAttribute("aria-valuetext", plainText(format(x)));
      slider.disabled = locked || !isFinite;
      box.disabled = locked;
      slope.innerHTML = slopeOf(i);
    }
  }

  // The range of a leaf's slider, and of its number where that is beyond.
  function range(i, x) {
    const {far} = rows.find(row => row.i === i);
    return [Math.min(-far, x), Math.max(far, x)];
  }

  return {paint, range};
}
