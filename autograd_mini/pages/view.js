"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent),
    {nodes, edges} = facts;
  const engine = makeEngine(facts, written),
    quiz = makeQuiz(engine, facts),
    {say, format} = engine;
  const byId = id => document.getElementById(id);
  const all = selector => document.querySelectorAll(selector);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const frozen = facts.frozen || (engine.differs() ? "JavaScript computes other numbers than the engine did" : "");
  const plainText = markup =>
    markup
      .replace(/<sup>([^<]*)<\/sup>/g, "^$1")
      .replace(/<[^>]*>/g, "")
      .replaceAll("&amp;", "&")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&quot;", '"')
      .replaceAll("&#x27;", "'");
  const element = (name, attributes = {}, markup = "") => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.innerHTML = markup;
    return made;
  };

  // What the reader has chosen, and what follows from it.
  const state = {
    at: 0,
    direction: "reverse",
    how: facts.start,
    given: {},
    output: engine.last,
    leaf: engine.leaves[0],
    shown: null,
    which: 0,
  };
  const asking = {list: [], k: 0, open: false, tries: 0, hints: 0, first: [], ended: false};
  let now,
    line,
    second = null,
    secondLine = null;

  function compute() {
    const {given, output, leaf} = state;
    now = engine.run({given, output, leaf, recorded: Boolean(frozen)});
    line = engine.timeline(now, state.direction);
    const {beside} = facts;
    if (beside) {
      const wrong = beside.mistake ? facts.mistakes.find(mistake => mistake.name === beside.mistake) : null;
      const other = Object.fromEntries(Object.entries(beside.given ?? {}).map(([i, x]) => [i, Number(x)]));
      second = engine.run({given: {...given, ...other}, output, leaf, wrong, recorded: Boolean(frozen)});
      secondLine = engine.timeline(second, state.direction);
    }
    state.at = Math.min(state.at, line.length - 1);
  }

  const isQuiz = () => state.how === "quiz";
  const question = () => (isQuiz() && !asking.ended ? asking.list[asking.k] : null);
  const startOf = mode => (mode === "values" ? 0 : line.findIndex(engine.isOfMode));
  const mode = () => {
    const q = question(),
      at = q ? q.at : state.at;
    return engine.isOfMode(line[at]) ? state.direction : "values";
  };

  // Pictures: those that a reader may choose, and the layout that suits the window.

  let shownPictures = [];
  function choosePictures() {
    const picture = facts.pictures[state.which];
    const room = byId("figures").clientWidth || 800;
    const fits = places => Math.min(1, room / places.width);
    const {wide, tall} = picture;
    const places = tall && fits(wide) < 0.7 && fits(tall) > fits(wide) ? tall : wide;
    if (shownPictures[0]?.places === places) return;
    const on = {
      point: i => {
        state.shown = i;
        describe();
      },
      pick,
    };
    shownPictures = [makePicture(byId("picture"), picture, places, engine, facts, on)];
    if (second) shownPictures.push(makePicture(byId("picture-2"), picture, places, engine, facts, on));
    for (const id of ["picture", "picture-2"]) byId(id).classList.toggle("many", fits(places) < 0.5);
    byId("figures").classList.toggle("pair", Boolean(second));
  }

  // The picture that has the node of a step, if the chosen one has not.
  function follow(step) {
    if (step.node === undefined || facts.pictures.length === 1) return;
    const has = picture => (picture.members?.flat() ?? picture.nodes).includes(step.node);
    if (has(facts.pictures[state.which])) return;
    state.which = facts.pictures.findIndex(has);
    byId("which").value = state.which;
  }

  function pick(i, members, group) {
    if (question()?.kind === "next" && !asking.open) return answered(i);
    const own = facts.pictures.findIndex(picture => picture.opens !== undefined && members.includes(picture.opens));
    if (members.length > 1 && own >= 0) {
      state.which = own;
      byId("which").value = own;
      paint();
    } else if (nodes[i].leaf && !isLocked()) edit(i, group);
  }

  // A leaf's number, edited in its box.
  function edit(i, group) {
    const frame = byId("picture"),
      outer = frame.getBoundingClientRect(),
      box = group.querySelector(".value").getBoundingClientRect();
    const input = element("input", {type: "number", step: "any", "aria-label": plainText(nodes[i].name)});
    input.value = Number(now.values[i].toPrecision(12));
    input.style.left = `${box.x + box.width / 2 - outer.x + frame.scrollLeft}px`;
    input.style.top = `${box.y + box.height / 2 - outer.y + frame.scrollTop}px`;
    let over = false;
    const close = keep => {
      if (over) return;
      over = true;
      if (keep && input.value !== "" && Number(input.value) !== now.values[i]) change(i, Number(input.value));
      input.remove();
      group.focus();
    };
    input.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        close(event.key === "Enter");
      }
      event.stopPropagation();
    });
    input.addEventListener("blur", () => close(true));
    frame.append(input);
    input.select();
  }

  // What the page shows.

  function paint() {
    choosePictures();
    const q = question(),
      step = line[q ? q.at : state.at];
    if (q) state.at = asking.open && q.kind !== "next" && q.kind !== "arrow" ? q.at : q.at - 1;
    const known = engine.known(now, line, state.at),
      current = mode();
    const revealed = q?.edge !== undefined && (q.kind === "slope" || asking.open) ? q.edge : null;
    const focus = q?.kind === "next" && !asking.open ? {} : step;
    shownPictures[0].paint({now, line, known, focus, mode: current, revealed});
    if (shownPictures[1]) {
      const at = Math.min(state.at, secondLine.length - 1),
        there = engine.known(second, secondLine, at);
      shownPictures[1].paint({
        now: second,
        line: secondLine,
        known: there,
        focus: secondLine[at],
        mode: current,
        against: {now, known},
      });
      byId("second-said").innerHTML = engine.sentence(second, secondLine, at);
    }
    for (const button of all("[data-mode]"))
      button.setAttribute("aria-pressed", String(button.dataset.mode === current));
    for (const button of all("[data-how]"))
      button.setAttribute("aria-pressed", String(button.dataset.how === state.how));
    const output = nodes[now.output].name,
      leaf = nodes[now.leaf].name;
    byId("where").innerHTML = say(`mode ${current}`, {output, leaf});
    const {reverse, one, all: every, leaves} = engine.counts(now);
    byId("counts").innerHTML = say("counts", {
      reverse,
      one,
      leaf,
      all: every,
      leaves: `${leaves} ${leaves === 1 ? "leaf" : "leaves"}`,
    });
    if (isQuiz()) paintQuiz(q);
    else {
      byId("ask").innerHTML = "";
      byId("said").innerHTML = engine.sentence(now, line, state.at);
      byId("at").textContent = `Step ${state.at + 1} of ${line.length}`;
    }
    byId("said").classList.toggle("long", byId("said").textContent.length > 70);
    byId("form").hidden = !q || asking.open;
    byId("play").hidden = byId("speeds").hidden = isQuiz();
    byId("print").hidden = !isQuiz();
    const done = isQuiz()
      ? asking.ended
        ? 1
        : asking.k / asking.list.length
      : state.at / Math.max(line.length - 1, 1);
    byId("bar").firstElementChild.style.width = `${100 * done}%`;
    for (const button of all("[data-go]")) button.setAttribute("aria-disabled", String(!mayGo(button.dataset.go)));
    byId("result").innerHTML = `${output} = ${engine.valueAt(now, line, state.at, now.output)}`;
    for (const row of rows) row.slope.innerHTML = slopeText(row.i);
    const locked = isLocked();
    for (const {slider, box, i} of rows) {
      slider.disabled = locked || !Number.isFinite(now.values[i]);
      box.disabled = locked;
    }
    byId("frozen").hidden = !locked;
    byId("frozen").innerHTML = frozen
      ? escaped(`The sliders are off: ${frozen}. The steps show the numbers that the engine computed.`)
      : "The sliders open after the last question, so that nothing is given away.";
    describe();
    drawCurve(known);
  }

  const escaped = text => text.replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
  const isLocked = () => Boolean(frozen) || Boolean(question());
  const slopeText = i =>
    state.direction === "forward"
      ? i === now.leaf
        ? `${engine.tangentName(now, now.output)} = ${engine.known(now, line, state.at).tangents[now.output] ? format(now.tangents[now.output]) : "?"}`
        : ""
      : `${engine.slopeName(now, i)} = ${engine.slopeAt(now, line, state.at, i)}`;

  function describe() {
    const q = question(),
      step = line[q ? q.at : state.at];
    const i = state.shown ?? (step.phase === "reverse" ? edges[step.edge].parent : (step.node ?? now.output));
    const forward = state.direction === "forward";
    byId("of").innerHTML = forward ? engine.tangentName(now, i) : engine.slopeName(now, i);
    byId("derivation").innerHTML = engine.told(now, line, state.at, i);
  }

  // Steps.

  function target(go) {
    const last = line.length - 1;
    const stop = i => {
      const {phase, node} = line[i];
      return `${phase} ${node}`;
    };
    let to = state.at;
    if (go === "first") return 0;
    if (go === "last") return last;
    if (go === "back") return Math.max(to - 1, 0);
    if (go === "step") return Math.min(to + 1, last);
    if (go === "node") {
      while (to < last && stop(to) === stop(state.at)) to++;
      return to;
    }
    if (to > 0) to--;
    while (to > 0 && stop(to - 1) === stop(to)) to--;
    return to;
  }

  const presenting = () => document.body.classList.contains("presenting");
  function mayGo(where) {
    if (!isQuiz()) return target(where) !== state.at;
    const onward = ["step", "node", "last"].includes(where);
    return onward ? !asking.ended && (asking.open || presenting()) : asking.ended || asking.k > 0;
  }

  function go(where) {
    if (!mayGo(where)) return;
    if (isQuiz()) return goQuestion(where);
    state.at = target(where);
    follow(line[state.at]);
    paint();
    announce(byId("said").innerHTML);
    reveal();
  }

  function announce(markup, wait = 0) {
    clearTimeout(announce.timer);
    announce.timer = setTimeout(() => {
      byId("live").textContent = plainText(markup);
    }, wait);
  }

  // Bring the step's boxes into sight.
  function reveal() {
    const groups = [...all("#picture .box.now"), ...all("#picture .box.into")];
    if (!groups.length) return;
    const frame = byId("picture"),
      outer = frame.getBoundingClientRect(),
      panel = document.querySelector("aside").getBoundingClientRect();
    const over =
      panel.top < outer.bottom &&
      panel.left < outer.right &&
      panel.right > outer.left &&
      getComputedStyle(document.querySelector("aside")).bottom === "0px";
    const shift = (low, high, start, end) => {
      const boxes = groups.map(group => group.getBoundingClientRect());
      let from = Math.min(...boxes.map(box => box[low])),
        to = Math.max(...boxes.map(box => box[high]));
      if (to - from > end - start - 20) [from, to] = [boxes.at(-1)[low], boxes.at(-1)[high]];
      return from < start + 8 ? from - start - 8 : to > end - 8 ? to - end + 8 : 0;
    };
    const left = shift("left", "right", outer.left, outer.right),
      behavior = calm.matches ? "instant" : "smooth";
    const inside = shift("top", "bottom", outer.top, outer.bottom);
    if (left || inside) frame.scrollBy({left, top: inside, behavior});
    const low = over ? Math.min(panel.top, innerHeight) : innerHeight,
      top = shift("top", "bottom", 0, low);
    if (top && over) scrollBy({top, behavior});
  }

  function chooseMode(chosen) {
    if (chosen !== "values") state.direction = chosen;
    line = engine.timeline(now, state.direction);
    if (second) secondLine = engine.timeline(second, state.direction);
    if (isQuiz()) {
      restartQuiz();
      const start = chosen === "values" ? 0 : asking.list.findIndex(({at}) => engine.isOfMode(line[at]));
      asking.k = Math.max(start, 0);
    }
    state.at = startOf(chosen);
    follow(line[state.at]);
    paint();
    announce(byId("where").innerHTML);
  }

  // Questions.

  function restartQuiz() {
    Object.assign(asking, {
      list: quiz.questions(now, line, {seed: facts.seed}),
      k: 0,
      open: false,
      tries: 0,
      hints: 0,
      first: [],
      ended: false,
    });
    if (!asking.list.length) asking.ended = true;
    byId("verdict").hidden = true;
    byId("answer").value = "";
  }

  function paintQuiz(q) {
    if (!q) {
      const right = asking.first.filter(Boolean).length,
        asked = asking.list.length;
      byId("ask").innerHTML = say("finished");
      byId("said").innerHTML = say("score", {right, asked});
      byId("at").textContent = "Score";
      return;
    }
    byId("ask").innerHTML = quiz.ask(now, q);
    byId("at").textContent = `Question ${asking.k + 1} of ${asking.list.length}`;
    byId("hint").hidden = q.kind === "next";
    const stages = quiz.solution(now, line, q).split(" = ");
    const hinted = [...stages.slice(0, 1 + asking.hints), "?"].join(" = ");
    byId("said").innerHTML = asking.open
      ? q.kind === "next"
        ? ""
        : stages.join(" = ")
      : asking.hints && q.kind !== "next"
        ? hinted
        : "";
    byId("hint").setAttribute("aria-disabled", String(asking.hints >= stages.length - 2));
  }

  function verdict({right, title, text}) {
    const box = byId("verdict");
    box.hidden = false;
    box.classList.toggle("right", right);
    box.innerHTML = `<b>${title}${right || /[?.]$/.test(title) ? "" : "."}</b>${text}`;
    announce(`${title}. ${text}`);
  }

  function answered(text) {
    const q = question();
    if (!q || asking.open) return;
    const found = quiz.check(now, line, q, text);
    if (found.right) {
      asking.first[asking.k] ??= asking.tries === 0 && asking.hints === 0;
      asking.open = true;
    } else {
      asking.tries++;
      asking.first[asking.k] ??= false;
    }
    paint();
    verdict(found);
    reveal();
    if (found.right) document.querySelector("[data-go=step]").focus({preventScroll: true});
  }

  function goQuestion(where) {
    const onward = ["step", "node", "last"].includes(where);
    byId("verdict").hidden = true;
    byId("answer").value = "";
    if (onward && !asking.open) {
      // before a class: the first press shows the answer
      asking.first[asking.k] ??= false;
      asking.open = true;
      paint();
      return;
    }
    if (where === "first") asking.k = 0;
    else if (onward) asking.k++;
    else if (!asking.ended) asking.k--;
    asking.ended = asking.k >= asking.list.length;
    if (asking.ended) {
      asking.k = asking.list.length - 1;
      state.at = line.length - 1;
      if (!onward) asking.ended = false;
    }
    Object.assign(asking, {
      open: !onward && asking.first[asking.k] !== undefined && where !== "first",
      tries: 0,
      hints: 0,
    });
    if (where === "first") asking.ended = false;
    const q = question();
    if (q) follow(line[q.at]);
    paint();
    announce(byId("ask").innerHTML + byId("said").innerHTML);
    reveal();
    if (q && !asking.open && !presenting()) byId("answer").focus({preventScroll: true});
  }

  function chooseHow(how) {
    state.how = how;
    stop();
    if (how === "quiz") restartQuiz();
    else {
      byId("verdict").hidden = true;
      state.at = 0;
    }
    paint();
    if (how === "quiz") byId("answer").focus({preventScroll: true});
  }

  byId("form").addEventListener("submit", event => {
    event.preventDefault();
    answered(byId("answer").value);
  });
  byId("hint").addEventListener("click", () => {
    if (byId("hint").getAttribute("aria-disabled") === "true") return;
    asking.hints++;
    paint();
    announce(byId("said").innerHTML);
    byId("answer").focus({preventScroll: true});
  });
  byId("show").addEventListener("click", () => {
    asking.first[asking.k] ??= false;
    asking.open = true;
    paint();
    const q = question();
    if (q.kind === "next") verdict({right: true, title: plainText(quiz.solution(now, line, q)), text: ""});
    announce(byId("said").innerHTML);
    document.querySelector("[data-go=step]").focus({preventScroll: true});
  });

  // A sheet to print: the picture with question marks, the questions, and the answers on a page of their own.
  function sheet() {
    const list = asking.list,
      keep = {at: state.at, how: state.how};
    const blank = {...engine.known(now, line, 0)};
    shownPictures[0].paint({now, line, known: blank, focus: {}, mode: "reverse"});
    const copy = shownPictures[0].svg.cloneNode(true);
    Object.assign(state, keep);
    const title = say("sheet", {output: nodes[now.output].name});
    byId("sheet").replaceChildren(
      element("h1", {class: "m"}, title),
      copy,
      element(
        "ol",
        {},
        list.map(q => `<li><span class="m">${quiz.ask(now, q)}</span><div class="line"></div></li>`).join(""),
      ),
      element(
        "div",
        {class: "key"},
        `<h1>${say("key")}: <span class="m">${title}</span></h1><ol>${list.map(q => `<li class="m">${quiz.solution(now, line, q)}</li>`).join("")}</ol>`,
      ),
    );
    paint();
  }
  byId("print").addEventListener("click", () => {
    sheet();
    document.body.classList.add("printing");
    print();
  });
  addEventListener("afterprint", () => document.body.classList.remove("printing"));

  // Playing, presenting, themes.

  function stop() {
    clearInterval(stop.timer);
    stop.timer = null;
    byId("play").textContent = "▶ Play";
    byId("play").setAttribute("aria-pressed", "false");
  }
  function play() {
    if (stop.timer) return stop();
    if (isQuiz()) return;
    if (!mayGo("step")) {
      state.at = 0;
      paint();
    }
    byId("play").textContent = "❚❚ Pause";
    byId("play").setAttribute("aria-pressed", "true");
    stop.timer = setInterval(
      () => {
        go("step");
        if (!mayGo("step")) stop();
      },
      1600 / Number(byId("speed").value),
    );
  }
  byId("play").addEventListener("click", play);
  byId("speed").addEventListener("change", () => {
    if (stop.timer) {
      stop();
      play();
    }
  });

  function present(on) {
    document.body.classList.toggle("presenting", on);
    if (on) document.documentElement.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
    scrollTo(0, 0);
    choosePictures();
    paint();
  }
  byId("present").addEventListener("click", () => present(true));
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && presenting()) present(false);
  });
  const root = document.documentElement,
    dark = matchMedia("(prefers-color-scheme: dark)");
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
  });
  addEventListener("message", event => {
    if (["light", "dark"].includes(event.data?.theme)) root.dataset.theme = event.data.theme;
  });

  for (const button of all("[data-go]"))
    button.addEventListener("click", () => {
      stop();
      go(button.dataset.go);
    });
  for (const button of all("[data-mode]"))
    button.addEventListener("click", () => {
      stop();
      chooseMode(button.dataset.mode);
    });
  for (const button of all("[data-how]")) button.addEventListener("click", () => chooseHow(button.dataset.how));
  document.addEventListener("keydown", event => {
    if (
      event.ctrlKey ||
      event.altKey ||
      event.metaKey ||
      event.target.closest("input:not([type=radio]), select, textarea")
    )
      return;
    const {key} = event,
      button = event.target.closest("button, .box");
    const where =
      {
        ArrowRight: event.shiftKey ? "node" : "step",
        ArrowLeft: event.shiftKey ? "node-back" : "back",
        PageDown: "step",
        PageUp: "back",
        Home: "first",
        End: "last",
      }[key] ?? (presenting() && (key === " " || key === "Enter") ? "step" : null);
    if (where) {
      stop();
      go(where);
    } else if (key === "Escape" && presenting()) present(false);
    else if (key === "Escape" && state.which) {
      state.which = 0;
      byId("which").value = 0;
      paint();
    } else if (key === "p" || key === "P") present(!presenting());
    else if (key === "r" || key === "R") chooseMode(state.direction === "reverse" ? "forward" : "reverse");
    else if (key === " " && !button) play();
    else return;
    event.preventDefault();
  });

  // Leaves.

  const reach = x => {
    // a round number, so that a slider's hundred steps are round too
    const least = Math.max(Math.abs(x) * 1.5, 1),
      power = 10 ** Math.floor(Math.log10(least));
    return [1, 2, 5, 10].find(k => k * power >= least) * power;
  };
  const rows = engine.leaves.map(i => {
    const x = engine.run({recorded: true}).values[i],
      {name} = nodes[i],
      far = reach(x),
      finite = Number.isFinite(x);
    const [min, max] = finite ? [-far, far] : [-1, 1];
    const slider = element("input", {type: "range", id: `leaf-${i}`, step: finite ? far / 50 : "any", min, max});
    const box = element("input", {
      type: "number",
      step: "any",
      "aria-label": `${plainText(name)}, as a number`,
      inputmode: "decimal",
    });
    const slope = element("output", {for: `leaf-${i}`, class: "m"}),
      row = element("div", {class: "leaf"});
    const ends = element("div", {class: "ends", "aria-hidden": "true"});
    ends.innerHTML = [min, 0, max].map((mark, k) => `<span style="left: ${50 * k}%">${format(mark)}</span>`).join("");
    slider.addEventListener("input", () => change(i, Number(Number(slider.value).toPrecision(12))));
    box.addEventListener("input", () => {
      if (box.value !== "") change(i, Number(box.value));
    });
    row.append(element("label", {for: `leaf-${i}`, class: "m"}, name), slider, box, ends, slope);
    byId("leaves").append(row);
    return {i, slider, box, slope, min, max};
  });

  function change(i, x) {
    state.given[i] = x;
    recompute(i);
    if (byId("recompute").value === "steps" && !frozen) {
      // what depends on the leaf is stale until its step
      const first = line.findIndex(step => step.phase === "value" && engine.depends(i)[step.node]);
      if (first > 0) {
        state.at = Math.min(state.at, first - 1);
        paint();
      }
    }
  }

  function recompute(moved) {
    compute();
    paint();
    for (const {i, slider, box, slope} of rows) {
      const x = now.values[i];
      if (document.activeElement !== slider || moved !== i) slider.value = x;
      slider.setAttribute("aria-valuetext", plainText(format(x)));
      if (document.activeElement !== box)
        box.value = Number.isFinite(x) ? Number(x.toPrecision(Math.max(facts.precision, 6))) : "";
      if (i === moved)
        announce(`${nodes[i].name} = ${format(x)}: ${byId("result").innerHTML}, ${slope.innerHTML}`, 400);
    }
  }

  byId("reset").addEventListener("click", () => {
    state.given = {};
    recompute(null);
    announce(`The leaves are as they were: ${byId("result").innerHTML}`);
  });

  // The curve of the output against a leaf, with the tangent.

  function drawCurve(known) {
    const {leaf, output} = now,
      row = rows.find(({i}) => i === leaf),
      holder = byId("curve");
    const slopeKnown = state.direction === "forward" ? known.tangents[output] : known.whole[leaf];
    const name = state.direction === "forward" || slopeKnown ? engine.slopeName(now, leaf) : "";
    if (frozen || !known.done[output] || question()) {
      holder.replaceChildren();
      byId("curve-note").innerHTML = frozen
        ? "The curve needs the sliders, which are off."
        : `The curve appears when ${nodes[output].name} is known, the tangent when ${engine.slopeName(now, leaf)} is.`;
      return;
    }
    const x0 = now.values[leaf],
      min = Math.min(row.min, x0),
      max = Math.max(row.max, x0);
    const points = Array.from({length: 161}, (_, k) => min + ((max - min) * k) / 160).map(x => [
      x,
      engine.run({given: {...state.given, [leaf]: x}, output, leaf}).values[output],
    ]);
    const y0 = now.values[output],
      slope = now.slopes[leaf];
    const ys = points
      .map(([, y]) => y)
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    if (!ys.length) {
      holder.replaceChildren();
      return;
    }
    let [low, high] = [ys[Math.floor(ys.length * 0.03)], ys[Math.ceil(ys.length * 0.97) - 1]];
    low = Math.min(low, Number.isFinite(y0) ? y0 : low);
    high = Math.max(high, Number.isFinite(y0) ? y0 : high);
    const spare = (high - low || Math.abs(high) || 1) * 0.12;
    low -= spare;
    high += spare;
    const W = 460,
      H = 220,
      L = 52,
      B = 30,
      X = x => L + ((x - min) / (max - min || 1)) * (W - L - 10),
      Y = y => H - B - ((y - low) / (high - low)) * (H - B - 10);
    const inside = y => Number.isFinite(y) && y > low - (high - low) && y < high + (high - low);
    let pen = "M";
    const path = points
      .map(([x, y]) => {
        if (!inside(y)) {
          pen = "M";
          return "";
        }
        const part = `${pen}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
        pen = "L";
        return part;
      })
      .join("");
    const clip = svgElement(
      "clipPath",
      {id: "inside"},
      svgElement("rect", {x: L, y: 5, width: W - L - 10, height: H - B - 5}),
    );
    const axis = svgElement("path", {d: `M${L} 5V${H - B}H${W - 10}`, fill: "none", stroke: "var(--line)"});
    const svg = svgElement(
      "svg",
      {
        viewBox: `0 0 ${W} ${H}`,
        role: "img",
        "aria-label": `Curve of ${plainText(nodes[output].name)} against ${plainText(nodes[leaf].name)}`,
      },
      clip,
      axis,
    );
    const label = (x, y, text, anchor) => svg.append(svgElement("text", {x, y, "text-anchor": anchor}, text));
    for (const x of min < 0 && max > 0 ? [min, 0, max] : [min, max])
      label(
        X(x),
        H - B + 18,
        plainText(format(Number(x.toPrecision(3)))),
        x === min ? "start" : x === max ? "end" : "middle",
      );
    for (const y of [low + spare, high - spare])
      label(L - 6, Y(y) + 4, plainText(format(Number(y.toPrecision(3)))), "end");
    const drawn = svgElement(
      "g",
      {"clip-path": "url(#inside)"},
      svgElement("path", {d: path, fill: "none", stroke: "var(--value)", "stroke-width": 2.2}),
    );
    if (slopeKnown && Number.isFinite(slope) && Number.isFinite(y0))
      drawn.append(
        svgElement("line", {
          x1: X(min),
          y1: Y(y0 + slope * (min - x0)),
          x2: X(max),
          y2: Y(y0 + slope * (max - x0)),
          stroke: "var(--gradient)",
          "stroke-width": 2.2,
          "stroke-dasharray": "8 5",
        }),
      );
    if (Number.isFinite(y0))
      drawn.append(svgElement("circle", {cx: X(x0), cy: Y(y0), r: 5.5, fill: "var(--gradient)"}));
    svg.append(drawn);
    holder.replaceChildren(svg);
    byId("curve-note").innerHTML = slopeKnown
      ? `At ${nodes[leaf].name} = ${format(x0)} the tangent has the slope ${engine.slopeName(now, leaf)} = ${format(slope)}.`
      : `The tangent appears when ${name || engine.slopeName(now, leaf)} is known.`;
  }

  // Choices.

  const option = (i, text) => {
    const made = element("option", {value: i});
    made.textContent = text;
    return made;
  };
  byId("output").append(
    ...nodes.flatMap((node, i) => (node.leaf && i !== engine.last ? [] : [option(i, plainText(node.name))])).reverse(),
  );
  byId("leaf").append(...engine.leaves.map(i => option(i, plainText(nodes[i].name))));
  for (const name of ["output", "leaf"]) {
    byId(name).value = state[name];
    byId(name).addEventListener("change", () => {
      state[name] = Number(byId(name).value);
      const inMode = engine.isOfMode(line[state.at]);
      compute();
      if (name === "output" || inMode)
        state.at = inMode ? startOf(state.direction) : Math.min(state.at, startOf("reverse") - 1);
      if (isQuiz()) restartQuiz();
      paint();
    });
  }
  facts.pictures.forEach((picture, k) => byId("which").append(option(k, picture.title)));
  byId("which-label").hidden = facts.pictures.length === 1;
  byId("which").addEventListener("change", () => {
    state.which = Number(byId("which").value);
    paint();
  });

  if (facts.beside) {
    byId("second").hidden = byId("first-caption").hidden = false;
    byId("first-caption").textContent = facts.beside.mistake ? "The right pass" : "The numbers of the graph";
    byId("second-caption").textContent = facts.beside.mistake
      ? `${facts.mistakes.find(({name}) => name === facts.beside.mistake).does}. A violet frame: another number than above.`
      : "The other numbers. A violet frame: another number than above.";
  }
  if (frozen) byId("reset").hidden = true;
  compute();
  if (isQuiz()) restartQuiz();
  recompute(null);
  // Letters cannot be measured before the page is seen: a notebook may load it out of sight.
  new ResizeObserver(() => {
    choosePictures();
    paint();
  }).observe(byId("figures"));
})();
