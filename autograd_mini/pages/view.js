"use strict";
(() => {
  const facts = JSON.parse(byId("facts").textContent);
  const {nodes, beside} = facts;
  const engine = makeEngine(facts, written);
  const {edges, say, format} = engine;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const frozen = facts.frozen || (engine.differs() ? say("other numbers") : "");
  const recorded = Boolean(frozen);
  const mistake = facts.mistakes.find(({name}) => name === beside?.mistake) ?? null;
  const others = Object.fromEntries(Object.entries(beside?.given ?? {}).map(([i, x]) => [i, exact(x)]));

  // What the reader has chosen, and what follows from it: a run and its steps, and perhaps a second run beside it.
  const state = {at: 0, direction: "reverse", isQuiz: facts.start === "quiz", shown: null, which: 0};
  const chosen = {given: {}, output: engine.last, leaf: engine.leaves[0]};
  let now;
  let line;
  let second = null;
  let secondLine;

  function compute() {
    now = engine.run({...chosen, recorded});
    if (beside && (mistake || !recorded))
      second = engine.run({...chosen, given: {...chosen.given, ...others}, wrong: mistake, recorded});
    plan();
  }
  function plan() {
    line = engine.timeline(now, state.direction);
    if (second) secondLine = engine.timeline(second, state.direction);
    state.at = Math.min(state.at, line.length - 1);
  }

  const page = {now: () => now, line: () => line, paint, follow, reveal, isPresenting: () => stage.isPresenting()};
  const asking = makeAsking(makeQuiz(engine, facts), facts, page);
  const stage = makeStage({go, mayGo, paint}, say);
  const zoom = makeZoom(byId("picture"), byId("zoom"), paint);
  const leaves = makeLeaves(byId("leaves"), engine, Math.max(facts.precision, 6), change);

  const question = () => (state.isQuiz ? asking.question() : null);
  const isLocked = () => recorded || Boolean(question());
  const focusStep = () => line[question()?.at ?? state.at]; // the step that is asked for or shown
  const mode = () => (engine.isOfMode(focusStep()) ? state.direction : "values");
  const startOf = mode => (mode === "values" ? 0 : line.findIndex(engine.isOfMode));

  // Pictures: the chosen one, in the layout that suits the window.

  let pictures = [];
  function choosePictures() {
    const picture = facts.pictures[state.which];
    const room = byId("figures").clientWidth || 800;
    const high = stage.isPresenting() ? byId("picture").clientHeight : Infinity;
    let {places, larger} = zoom.choose(picture, {room, high}, 0.65);
    const isAbreast = showsSecond() && places === picture.tall && room >= 600; // two upright pictures side by side
    byId("figures").classList.toggle("abreast", isAbreast);
    if (isAbreast && larger === null && room / 2 < 0.65 * places.width) larger = 0.65;
    for (const id of ["picture", "picture-2"]) byId(id).classList.toggle("many", larger !== null);
    if (pictures[0]?.places !== places) {
      const holders = second ? ["picture", "picture-2"] : ["picture"];
      pictures = holders.map((id, k) =>
        makePicture(byId(id), picture, places, engine, k ? {point} : {point, pick, isPicked}),
      );
    }
    for (const {svg} of pictures)
      for (const size of ["width", "height"]) svg.setAttribute(size, (larger ?? 1) * places[size]);
  }

  function choosePicture(k) {
    state.which = k;
    byId("which").value = k;
  }

  // Choose a picture that has the node of a step; the pictures of a question have all boxes and arrows.
  function follow({node}) {
    const has = picture => (state.isQuiz ? picture.nodes : (picture.members?.flat() ?? picture.nodes)).includes(node);
    if (isChoice()) return choosePicture(facts.pictures.length - 1);
    if (node !== undefined && !has(facts.pictures[state.which])) choosePicture(facts.pictures.findIndex(has));
  }

  function point(i) {
    state.shown = i;
    describe();
  }

  const isChoice = () => question()?.kind === "next" && !question().open;
  const insideOf = members => facts.pictures.findIndex(({opens}) => opens !== undefined && members.includes(opens));
  const isPicked = (i, members) =>
    (members.length > 1 ? insideOf(members) >= 0 : nodes[i].leaf && !isLocked()) || isChoice();

  // A box was chosen: to be opened, as an answer, or to get another number.
  function pick(i, members, group) {
    if (members.length > 1 && insideOf(members) >= 0) {
      choosePicture(insideOf(members));
      paint();
    } else if (isChoice()) asking.answer(i);
    else if (nodes[i].leaf && !isLocked()) edit(i, group);
  }

  // A leaf's number, edited in its box.
  function edit(i, group) {
    const frame = byId("picture");
    const outer = frame.getBoundingClientRect();
    const box = group.querySelector(".value").getBoundingClientRect();
    const input = element("input", {type: "number", step: "any", "aria-label": plainText(nodes[i].name)});
    input.value = Number(now.values[i].toPrecision(12));
    input.style.left = `${box.x + box.width / 2 - outer.x + frame.scrollLeft}px`;
    input.style.top = `${box.y + box.height / 2 - outer.y + frame.scrollTop}px`;
    const before = input.value;
    let isOver = false;
    const close = isKept => {
      if (isOver) return;
      isOver = true;
      const x = input.value;
      input.remove();
      group.focus();
      if (isKept && x !== "" && x !== before) change(i, Number(x));
    };
    input.addEventListener("keydown", event => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") close(event.key === "Enter");
    });
    input.addEventListener("blur", () => close(true));
    frame.append(input);
    input.select();
  }

  // What the page shows.

  function paint() {
    choosePictures();
    if (question()) state.at = asking.shownAt();
    const known = engine.known(now, line, state.at);
    const focus = isChoice() ? {} : focusStep();
    pictures[0].paint({now, known, focus, mode: mode(), revealed: state.isQuiz ? asking.revealedEdge() : null});
    if (beside) paintSecond(known);
    paintWords();
    paintControls();
    leaves.paint(now, slopeText, isLocked());
    describe();
    drawCurve(known);
    for (const picture of pictures) picture.look(stage.isPresenting());
  }

  // The second run is hidden where it would tell an answer, and where a wrong backward pass has no say.
  const showsSecond = () => Boolean(second) && !question() && (mistake === null || state.direction !== "forward");

  function paintSecond(known) {
    byId("second").hidden = byId("second-said").hidden = !showsSecond();
    if (!showsSecond()) return;
    const at = Math.min(state.at, secondLine.length - 1);
    const there = engine.known(second, secondLine, at);
    const against = {now, known};
    const isSame = mistake && !second.slopes.some((slope, i) => engine.far(slope, now.slopes[i]));
    byId("second-caption").textContent = say(
      !mistake ? "second run" : isSame ? "same numbers" : "wrong pass",
      mistake ?? {},
    );
    pictures[1].paint({now: second, known: there, focus: secondLine[at], mode: mode(), against});
    byId("second-said").innerHTML = engine.sentence(second, secondLine, at);
  }

  function paintWords() {
    const output = nodes[now.output].name;
    const leaf = nodes[now.leaf].name;
    const {leaves: n, ...counts} = engine.counts(now);
    byId("where").innerHTML = say(`mode ${mode()}`, {output, leaf});
    byId("counts").innerHTML = say(n === 1 ? "counts of one" : "counts", {...counts, leaf, leaves: say("leaves", {n})});
    byId("result").innerHTML = `${output} = ${engine.valueAt(now, line, state.at, now.output)}`;
    if (state.isQuiz) asking.paint(say);
    else {
      byId("ask").innerHTML = "";
      byId("said").innerHTML = engine.sentence(now, line, state.at);
      byId("at").textContent = say("step", {k: state.at + 1, n: line.length});
      byId("form").hidden = true;
    }
    byId("said").classList.toggle("long", byId("said").textContent.length > 70);
    byId("frozen").hidden = !isLocked();
    byId("frozen").innerHTML = recorded ? say("frozen", {why: escaped(frozen)}) : say("locked");
  }

  function paintControls() {
    const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));
    for (const button of all("[data-mode]")) press(button, button.dataset.mode === mode());
    for (const button of all("[data-how]")) press(button, (button.dataset.how === "quiz") === state.isQuiz);
    for (const button of all("[data-go]")) button.setAttribute("aria-disabled", String(!mayGo(button.dataset.go)));
    byId("play").hidden = byId("speeds").hidden = state.isQuiz;
    byId("print").hidden = !state.isQuiz;
    byId("reset").setAttribute("aria-disabled", String(isLocked()));
    const share = state.isQuiz ? asking.share() : state.at / Math.max(line.length - 1, 1);
    byId("bar").firstElementChild.style.width = `${100 * share}%`;
  }

  // The derivative beside a slider: in forward mode only that of the leaf that is followed.
  function slopeText(i) {
    if (state.direction === "reverse") return `${engine.slopeName(now, i)} = ${engine.slopeAt(now, line, state.at, i)}`;
    if (i !== now.leaf) return "";
    const {tangents} = engine.known(now, line, state.at);
    return `${engine.tangentName(now, now.output)} = ${tangents[now.output] ? format(now.tangents[now.output]) : "?"}`;
  }

  function describe() {
    const {phase, edge, node} = focusStep();
    const isAsked = question() && !question().open; // the step that is asked for would be told
    const i = state.shown ?? (isAsked ? null : phase === "reverse" ? edges[edge].parent : (node ?? now.output));
    byId("of").parentElement.hidden = i === null;
    if (i === null) {
      byId("of").innerHTML = byId("derivation").innerHTML = "";
      return;
    }
    byId("of").innerHTML = (state.direction === "forward" ? engine.tangentName : engine.slopeName)(now, i);
    byId("derivation").innerHTML = engine.told(now, line, state.at, i);
  }

  function drawCurve(known) {
    const {leaf, output} = now;
    const [of, against] = [nodes[output].name, nodes[leaf].name];
    const slope = engine.slopeName(now, leaf);
    const hasSlope = state.direction === "forward" ? known.tangents[output] : known.whole[leaf];
    const [min, max] = leaves.range(leaf, now.values[leaf]);
    const isShown = !recorded && known.done[output] && !question() && Number.isFinite(max - min);
    const isStopped = engine.stops(now, leaf); // an edge from the leaf to the output passes no derivative
    const at = {leaf: `${against} = ${format(now.values[leaf])}`, number: format(now.slopes[leaf])};
    const tangent = isStopped ? "stopped" : Number.isFinite(now.slopes[leaf]) ? "tangent" : "no tangent";
    const steep = Math.abs(now.slopes[leaf]) === Infinity ? "steep" : tangent;
    const later = question() ? "curve after" : known.done[output] ? "no finite" : "curve later";
    const key = recorded ? "no curve" : !isShown ? later : hasSlope ? steep : "tangent later";
    byId("curve-note").innerHTML = say(key, {of, slope, ...at});
    const width = Math.min(byId("curve").clientWidth || 460, 460);
    const drawn = [now, hasSlope, isShown, width]; // of which run, and whether with its tangent
    if (drawn.every((x, k) => x === drawCurve.drawn?.[k])) return;
    drawCurve.drawn = drawn;
    if (!isShown) return byId("curve").replaceChildren();
    const points = Array.from({length: 161}, (_, k) => {
      const x = min + ((max - min) * k) / 160;
      return [x, engine.valuesOf({...chosen.given, [leaf]: x})[output]];
    });
    const curve = {
      points,
      at: [now.values[leaf], now.values[output]],
      slope: hasSlope && !isStopped ? now.slopes[leaf] : null,
      label: plainText(say("curve", {of, against})),
      format: x => plainText(format(x)),
      width,
    };
    byId("curve").replaceChildren(curveOf(curve));
  }

  // Steps.

  function target(where) {
    const last = line.length - 1;
    const isSame = (i, j) => line[i].phase === line[j].phase && line[i].node === line[j].node;
    let to = state.at;
    switch (where) {
      case "first":
        return 0;
      case "last":
        return last;
      case "back":
        return Math.max(to - 1, 0);
      case "step":
        return Math.min(to + 1, last);
      case "node":
        while (to < last && isSame(to, state.at)) to++;
        return to;
    }
    if (to > 0) to--;
    while (to > 0 && isSame(to - 1, to)) to--;
    return to;
  }

  function mayGo(where) {
    return state.isQuiz ? asking.mayGo(where) : target(where) !== state.at;
  }

  function go(where) {
    if (!mayGo(where)) return;
    if (state.isQuiz) return asking.go(where);
    state.at = target(where);
    follow(line[state.at]);
    paint();
    announce(byId("said").innerHTML);
    reveal();
  }

  // Bring the step's boxes into sight; on a phone the panel covers the lower part of the page.
  function reveal() {
    const boxes = [...all("#picture .box.now, #picture .box.into")].map(group => group.getBoundingClientRect());
    if (!boxes.length) return;
    const frame = byId("picture");
    const outer = frame.getBoundingClientRect();
    const panel = document.querySelector("aside");
    const low = getComputedStyle(panel).bottom === "0px" ? panel.getBoundingClientRect().top : innerHeight;
    const shift = (near, far, start, end) => {
      const from = Math.min(...boxes.map(box => box[near]));
      const to = Math.max(...boxes.map(box => box[far]));
      return from < start + 8 ? from - start - 8 : to > end - 8 ? Math.min(to - end + 8, from - start - 8) : 0;
    };
    const behavior = calm.matches ? "instant" : "smooth";
    const isHigh = frame.scrollHeight > frame.clientHeight;
    const left = shift("left", "right", outer.left, outer.right);
    const top = isHigh ? shift("top", "bottom", outer.top, outer.bottom) : 0;
    if (left || top) for (const id of ["picture", "picture-2"]) byId(id).scrollBy({left, top, behavior});
    const down = shift("top", "bottom", 0, low);
    if (down && !top && !stage.isPresenting()) scrollBy({top: down, behavior});
  }

  function chooseMode(chosenMode) {
    if (chosenMode === mode()) return;
    if (chosenMode !== "values") state.direction = chosenMode;
    plan();
    if (state.isQuiz) asking.restart(({at}) => chosenMode === "values" || engine.isOfMode(line[at]));
    state.at = startOf(chosenMode);
    follow(focusStep());
    paint();
    announce(byId("where").innerHTML);
  }

  function chooseHow(how) {
    if (state.isQuiz === (how === "quiz")) return;
    stage.stop();
    state.isQuiz = how === "quiz";
    asking.restart();
    state.at = 0;
    follow(focusStep());
    paint();
    announce(byId(state.isQuiz ? "ask" : "said").innerHTML);
    if (state.isQuiz) asking.focusAnswer();
  }

  // Leaves.

  function change(i, x) {
    chosen.given[i] = x;
    compute();
    if (byId("recompute").value === "steps") {
      const isStale = ({phase, node}) => phase === "value" && engine.depends(i)[node];
      const first = line.findIndex(isStale);
      if (first > 0) state.at = Math.min(state.at, first - 1);
    }
    paint();
    const leaf = `${nodes[i].name} = ${format(x)}`;
    announce(say("moved", {leaf, result: byId("result").innerHTML, slope: slopeText(i)}), 400);
  }

  byId("reset").addEventListener("click", () => {
    if (isLocked()) return;
    chosen.given = {};
    compute();
    paint();
    announce(say("reset", {result: byId("result").innerHTML}));
  });

  // Choices.

  function fillSelect(id, options, choose) {
    for (const [value, text] of options) {
      const made = element("option", {value});
      made.textContent = text;
      byId(id).append(made);
    }
    byId(id).addEventListener("change", () => choose(Number(byId(id).value)));
  }

  function choose(name, i) {
    const isInMode = engine.isOfMode(line[state.at]);
    chosen[name] = i;
    compute();
    if (isInMode) state.at = startOf(state.direction);
    else if (name === "output") state.at = 0;
    if (state.isQuiz && (name === "output" || state.direction === "forward")) asking.restart();
    follow(focusStep());
    paint();
  }

  const named = i => [i, plainText(nodes[i].name)];
  const results = [...nodes.keys()].filter(i => !nodes[i].leaf || i === engine.last).reverse();
  fillSelect("output", results.map(named), i => choose("output", i));
  fillSelect("leaf", engine.leaves.map(named), i => choose("leaf", i));
  const titles = facts.pictures.map(({title}, k) => [k, title]);
  fillSelect("which", titles, k => {
    choosePicture(k);
    paint();
  });
  byId("which-label").hidden = titles.length === 1;

  const listen = (selector, act) => {
    for (const button of all(selector)) button.addEventListener("click", () => act(button.dataset));
  };
  byId("picture").addEventListener("click", ({target}) => {
    if (stage.isPresenting() && !target.closest(".box")) go("step");
  });
  listen("[data-go]", ({go: where}) => (stage.stop(), go(where)));
  listen("[data-mode]", ({mode}) => (stage.stop(), chooseMode(mode)));
  listen("[data-how]", ({how}) => chooseHow(how));
  // Print the sheet in a quiz, also where the browser is asked to print; the picture has all boxes and arrows.
  byId("print").addEventListener("click", () => print());
  addEventListener("beforeprint", () => {
    if (!state.isQuiz || document.body.classList.contains("printing")) return;
    const {which} = state;
    choosePicture(facts.pictures.length - 1);
    choosePictures();
    pictures[0].paint({now, known: engine.known(now, line, 0), focus: {}, mode: "values"});
    const copy = pictures[0].svg.cloneNode(true);
    copy.innerHTML = copy.innerHTML.replace(/(id="|url\(&quot;#|url\(#)picture-/g, "$1sheet-"); // arrow heads of its own
    const of = {output: nodes[now.output].name, seed: facts.seed};
    asking.writeSheet(copy, say(facts.seed === null ? "sheet" : "numbered sheet", of));
    choosePicture(which);
    paint();
  });

  const KEYS = {PageDown: "step", PageUp: "back", Home: "first", End: "last"};
  function whereTo({key, shiftKey, target}) {
    if (key === "ArrowRight") return shiftKey ? "node" : "step";
    if (key === "ArrowLeft") return shiftKey ? "node-back" : "back";
    const isFree = !target.closest?.("button, .box"); // those have these keys for themselves
    return stage.isPresenting() && isFree && (key === " " || key === "Enter") ? "step" : KEYS[key];
  }
  document.addEventListener("keydown", event => {
    const {key, target} = event;
    if (event.ctrlKey || event.altKey || event.metaKey || target.closest?.("input, select") || event.defaultPrevented)
      return;
    const where = whereTo(event);
    if (where) {
      stage.stop();
      go(where);
    } else if (key === "Escape" && stage.isPresenting()) stage.present(false);
    else if (key === "Escape" && state.which) {
      choosePicture(0);
      paint();
    } else if (key.toLowerCase() === "p") stage.present(!stage.isPresenting());
    else if (key.toLowerCase() === "r" && !state.isQuiz)
      chooseMode(state.direction === "reverse" ? "forward" : "reverse");
    else if (key === " " && !target.closest("button, .box")) stage.play();
    else return;
    event.preventDefault();
  });

  if (beside) {
    byId("first-caption").hidden = false;
    byId("first-caption").textContent = say(mistake ? "right pass" : recorded ? "no second" : "first run");
  }
  byId("reset").hidden = recorded;
  followThemes();
  compute();
  asking.restart();
  if (state.isQuiz) follow(focusStep());
  paint();
  // Letters cannot be measured before the page is seen: a notebook may load it out of sight.
  new ResizeObserver(paint).observe(byId("figures"));
})();
