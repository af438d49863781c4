"use strict";
// The page that trains a net: what the reader has chosen, the controls and keys, and when to paint what.
(() => {
  const facts = JSON.parse(byId("facts").textContent);
  const trainer = makeTrainer(facts, equations);
  const isFrozen = trainer.differs();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const state = {rate: facts.rate, showsGradients: false, looked: null, seed: 0};

  const numbers = makeNumbers(facts.precision);
  const palette = makePalette(facts.palette);
  const axes = makeAxes(palette, numbers);
  const output = makeOutput(facts, trainer, axes, palette, numbers);
  const cost = makeCost(byId("curve-canvas"), trainer, axes, palette, numbers);
  const table = makeTable(facts, trainer, numbers, look);
  const hasPlanes = facts.board && trainer.inputs === 2;
  const planes = hasPlanes ? makePlanes(facts.board, trainer, output.columns, palette, axes) : null;
  const page = {look, looked: () => state.looked};
  const board = facts.board ? makeBoard(facts.board, trainer, planes, palette, numbers, page) : null;

  // Painting.

  function paintNumbers() {
    byId("steps").textContent = numbers.grouped(String(trainer.steps));
    byId("cost").textContent = numbers.format(trainer.cost);
    const accuracy = trainer.accuracy();
    if (accuracy !== null) byId("accuracy").textContent = numbers.percent(accuracy);
  }

  function paintCost() {
    cost.paint(byId("log").checked);
  }

  function paintNet() {
    planes?.paint();
    board?.paint(state.showsGradients);
  }

  // The parameter that the reader looks at, and the derivative of the cost with respect to it.
  function paintLooked() {
    const k = state.looked;
    if (k === null) {
      byId("read").replaceChildren();
      return;
    }
    const {name} = facts.parameters[k];
    const [value, slope] = [trainer.parameters[k], trainer.slopes[k]].map(x => numbers.format(x));
    byId("read").innerHTML = `${name} = ${value},  d<i>J</i>/d${name} = ${slope}`;
  }

  // What changes with each step, and is cheap to paint.
  function paintStep() {
    paintAdvice();
    paintNumbers();
    output.paint();
    paintCost();
    paintLooked();
  }

  function paintParameters() {
    paintNet();
    table.paint();
  }

  function paint() {
    paintStep();
    paintParameters();
    const {costs} = trainer;
    const [first, last] = [costs[0], trainer.cost].map(x => numbers.format(x));
    byId("plane-canvas").setAttribute("aria-label", `${byId("plane-title").textContent}. ${summary()}`);
    byId("curve-canvas").setAttribute("aria-label", `Cost over the steps, from ${first} to ${last}`);
  }

  function look(k) {
    state.looked = k;
    table.mark(k);
    board?.paint(state.showsGradients);
    paintLooked();
  }

  function summary() {
    const accuracy = trainer.accuracy();
    const end = accuracy === null ? "" : `, accuracy ${numbers.percent(accuracy)}`;
    return `Step ${trainer.steps}: cost ${numbers.format(trainer.cost)}${end}`;
  }

  // Say that the steps are too long, where the cost often rises.
  let hasAdvice = false;
  function paintAdvice() {
    const [rises, steps] = trainer.rises;
    const isLong = rises > steps / 3;
    if (isLong === hasAdvice) return;
    hasAdvice = isLong;
    tell(isLong ? `The cost rose in more than a third of the last ${steps} steps: try a smaller learning rate.` : "");
  }

  // Of reports that follow at once a screen reader hears the last.
  const report = text => announce(text, 300);

  function tell(text) {
    byId("said").hidden = !text;
    byId("said").textContent = text;
    if (text) report(text);
  }

  // Training.

  const LIMIT = 13; // milliseconds of a frame that steps may take
  let isPlaying = false;
  let due = 0; // steps that the speed asks for, and that are not yet taken
  const last = {frame: 0, paint: 0, parameters: 0, report: 0}; // when each was done
  const speed = () => Number(byId("speed").value); // steps a second

  // Take steps until a time, and return whether they could be taken.
  function take(count, until = Infinity) {
    for (let k = 0; k < count; k++) {
      if (!trainer.step(state.rate)) {
        pause();
        tell(
          `Step ${trainer.steps + 1} was not taken: the cost or a parameter would be too large for a number. ` +
            "Take a smaller learning rate.",
        );
        return false;
      }
      if (performance.now() > until) break;
    }
    return true;
  }

  function frame(time) {
    if (!isPlaying) return;
    const passed = Math.min(time - last.frame, 250); // a page in the background does not catch up
    last.frame = time;
    due = Number.isFinite(speed()) ? due + (passed * speed()) / 1000 : Infinity;
    const count = Math.floor(due);
    if (count > 0) {
      if (!take(count, performance.now() + LIMIT)) return paint();
      due = Number.isFinite(due) ? Math.min(due - count, 1) : 0;
      paintFrame(time);
    }
    requestAnimationFrame(frame);
  }

  // Paint what can be seen to change; the table of a large net rarely.
  function paintFrame(time) {
    const gap = calm.matches ? 500 : 30;
    const isLarge = facts.parameters.length > 400;
    if (time - last.paint > gap) {
      last.paint = time;
      paintStep();
      if (time - last.parameters > Math.max(gap, isLarge ? 1000 : 120)) {
        last.parameters = time;
        paintParameters();
      }
    }
    if (time - last.report > 3000) {
      last.report = time;
      report(summary());
    }
  }

  function play() {
    if (isPlaying || isFrozen) return;
    isPlaying = true;
    tell("");
    byId("play").textContent = "❚❚ Pause";
    due = 1;
    last.report = performance.now();
    requestAnimationFrame(time => {
      last.frame = time;
      frame(time);
    });
  }

  function pause() {
    if (!isPlaying) return;
    isPlaying = false;
    byId("play").textContent = "▶ Play";
    paint();
    report(summary());
  }

  function go(count) {
    if (isFrozen) return;
    pause();
    tell("");
    if (take(count)) report(summary());
    paint();
  }

  function restart(parameters, text) {
    if (isFrozen) return;
    pause();
    tell("");
    hasAdvice = false;
    trainer.reset(parameters);
    if (!Number.isFinite(trainer.cost)) tell("The cost of these weights is too large for a number: take smaller weights.");
    paint();
    report(`${text} ${summary()}`);
  }

  // Controls.

  // Take a learning rate from a control, which keeps what the reader typed; the other one follows.
  function setRate(rate, source) {
    if (!(rate > 0 && rate < Infinity)) return;
    state.rate = rate;
    const [box, slider] = [byId("rate"), byId("rate-slider")];
    if (source !== box) box.value = Number(rate.toPrecision(6));
    if (source !== slider) slider.value = Math.log10(rate);
    slider.setAttribute("aria-valuetext", numbers.brief(rate));
  }

  function showOnWires(button) {
    state.showsGradients = button.dataset.wires === "gradients";
    for (const other of all("[data-wires]")) other.setAttribute("aria-pressed", String(other === button));
    paintNet();
  }

  byId("play").addEventListener("click", () => (isPlaying ? pause() : play()));
  byId("step").addEventListener("click", () => go(1));
  byId("ten").addEventListener("click", () => go(10));
  byId("reset").addEventListener("click", () => restart(undefined, "The weights are as they were at the start."));
  byId("fresh").addEventListener("click", () => {
    const size = Number(byId("size").value);
    if (size >= 0 && size < Infinity) restart(trainer.drawn(++state.seed, size), "New weights.");
  });
  byId("rate").addEventListener("input", ({target}) => {
    if (target.value !== "") setRate(Number(target.value), target);
  });
  byId("rate").addEventListener("change", () => setRate(state.rate)); // a number that is none gives way to the last one
  byId("rate-slider").addEventListener("input", ({target}) =>
    setRate(Number((10 ** Number(target.value)).toPrecision(2)), target),
  );
  byId("speed").addEventListener("change", () => {
    due = 0;
  });
  byId("log").addEventListener("change", paintCost);
  for (const button of all("[data-wires]")) button.addEventListener("click", () => showOnWires(button));

  document.addEventListener("keydown", event => {
    if (event.target.closest("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
    // A region that can scroll has keys of its own.
    const region = event.target.closest(".scroll");
    if (region && (event.key === "Home" || (event.key !== " " && region.scrollWidth > region.clientWidth))) return;
    if (event.key === " " && !event.target.closest("button")) byId("play").click();
    else if (event.key === "ArrowRight") go(event.shiftKey ? 10 : 1);
    else if (event.key === "Home") byId("reset").click();
    else return;
    event.preventDefault();
  });

  // The page as it opens.

  function describe() {
    const counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;
    const parts = [
      counted(facts.X.length, "example"),
      counted(facts.parameters.length, "parameter"),
      `loss: ${facts.loss}`,
      "each step goes down the gradient over all examples",
    ];
    if (facts.decay) parts.push(`weight decay ${numbers.brief(facts.decay)}`);
    byId("about").textContent = parts.join(" · ");
    byId("right").hidden = !facts.classes;
    if (board) return;
    const why = "The net is not drawn: it has no layers of named neurons, or too many wires to tell apart.";
    byId("board").append(element("p", {class: "note"}, why));
    document.querySelector(".seg").hidden = true;
  }

  // New weights are as large as those at the start, unless these are 0.
  function chooseSize() {
    const biases = new Set(facts.biases);
    const weights = facts.parameters.filter((_, k) => !biases.has(k)).map(({start}) => start);
    const squares = weights.reduce((sum, w) => sum + w * w, 0);
    const size = Math.sqrt(squares / (weights.length || 1)) || 0.5;
    byId("size").value = Number(size.toPrecision(2));
  }

  function freeze() {
    for (const id of ["play", "step", "ten", "reset", "fresh"]) byId(id).setAttribute("aria-disabled", "true");
    tell("Training is off: JavaScript computes other numbers than the engine did.");
  }

  function repaint() {
    palette.forget();
    paint();
  }

  describe();
  chooseSize();
  if (isFrozen) freeze();
  followThemes();
  setRate(facts.rate);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
  // Canvases follow the size of the window; and a notebook may load the page out of sight.
  const observer = new ResizeObserver(() => {
    output.paint();
    paintCost();
    board?.resize();
  });
  observer.observe(document.querySelector(".grid"));
  paint();
})();
