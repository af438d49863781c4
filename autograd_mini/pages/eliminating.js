"use strict";
(() => {
  const facts = JSON.parse(byId("facts").textContent);
  const elimination = makeElimination(facts);
  const removal = makeRemoval(elimination, facts);
  const {nodes, ORDERS} = elimination;
  const {say, many, format} = removal;
  const orders = Object.fromEntries(ORDERS.map(order => [order, elimination.inOrder(order)]));
  const fewest = Math.min(...ORDERS.map(order => elimination.cost(elimination.steps(orders[order])).multiplications));

  // What the reader has chosen, and what follows from it: the steps, and the frames that the page goes through. A frame
  // shows the graph after `at` steps; one with a question asks for the step that comes next.
  const state = {order: facts.order, own: facts.chosen, isQuiz: facts.start === "quiz", position: 0, pointed: null};
  const told = new Set(); // the orders that a quiz has gone through
  let steps;
  let frames;
  let memory = {}; // the questions of a step, by the nodes removed up to it
  const stage = makeStage({go, mayGo, paint}, say);
  const zoom = makeZoom(byId("picture"), byId("zoom"), paint);

  function plan() {
    const chosen = state.order === "own" ? state.own : orders[state.order];
    steps = elimination.steps(chosen);
    frames = [{at: 0}];
    steps.forEach((step, at) => {
      const questions = (memory[chosen.slice(0, at + 1)] ??= removal.questions(step));
      if (state.isQuiz) frames.push(...questions.map(question => ({at, question})));
      frames.push({at: at + 1});
    });
    state.position = Math.min(state.position, frames.length - 1);
  }

  const frame = () => frames[state.position];
  const graph = () => (frame().at ? steps[frame().at - 1].after : elimination.first);
  const isAsked = () => Boolean(frame().question && !frame().question.open);
  const isDone = () => frame().at === elimination.interior.length;
  const mayPick = i => !frame().question && elimination.left(graph()).includes(i);
  const nameOf = i => nodes[i].name;

  // The node that is removed next, and perhaps shown with its edges.
  const next = () => steps[frame().at]?.node ?? null;
  const looked = () => (frame().question ? next() : mayPick(state.pointed) ? state.pointed : null);

  // The picture, in the layout that suits the window.
  let picture;
  function choosePicture() {
    const room = byId("picture").clientWidth || 800;
    const high = stage.isPresenting() ? byId("picture").clientHeight : Infinity;
    const {places, larger} = zoom.choose(facts.places, {room, high}, 0.5);
    byId("picture").classList.toggle("many", larger !== null);
    if (picture?.places !== places)
      picture = makeLinear(byId("picture"), places, elimination, removal, {point, pick});
    for (const size of ["width", "height"]) picture.svg.setAttribute(size, (larger ?? 1) * places[size]);
  }

  function paintPicture() {
    const {at, question} = frame();
    const nameIn = i => (mayPick(i) && !state.isQuiz ? removal.offered(graph(), i) : nameOf(i));
    picture.paint(steps.slice(0, at), {isFresh: !question, goes: next(), looked: looked(), mayPick, nameIn});
  }

  // What the page shows.

  function paint() {
    choosePicture();
    if (isDone()) told.add(state.order);
    paintPicture();
    paintWords();
    paintControls();
    paintWork();
    paintJacobian();
  }

  function point(i) {
    state.pointed = i;
    paintPicture();
    paintPointed();
  }

  // The work of the node that the reader points at, which a quiz would ask for.
  function paintPointed() {
    const i = state.pointed;
    const isTold = !state.isQuiz && mayPick(i);
    byId("counts").innerHTML = isTold ? removal.offered(graph(), i) : state.isQuiz || isDone() ? "" : say("point");
  }

  function onward() {
    if (isDone()) {
      const {multiplications: n, additions} = elimination.cost(steps);
      const all = {products: many(n, "multiplication"), sums: many(additions, "addition")};
      const comment = state.order === "own" && n < fewest ? say("beaten") : n === fewest ? say("fewest") : "";
      const questions = frames.flatMap(({question}) => question ?? []);
      const right = questions.filter(question => question.right).length;
      return [say("all gone", all), comment, ...(state.isQuiz ? [say("score", {right, asked: questions.length})] : [])]
        .filter(Boolean)
        .join("\n");
    }
    return next() === null ? say("choose") : say("next", {node: nameOf(next())});
  }

  function paintWords() {
    const {at, question} = frame();
    byId("where").innerHTML = say(`order ${state.order}`);
    if (question) {
      byId("ask").innerHTML = removal.ask(steps[at], question);
      byId("said").innerHTML = question.open ? removal.solution(steps[at], question) : "";
    } else {
      const edges = many(elimination.size(graph()), "edge");
      const count = many(elimination.interior.length, "node");
      const lines = at ? removal.told(steps[at - 1]) : [];
      byId("ask").innerHTML = at
        ? say("removed", {node: nameOf(steps[at - 1].node)})
        : say("whole", {edges, nodes: count});
      byId("said").innerHTML = [...lines, onward()].join("\n");
    }
    byId("form").hidden = !isAsked();
    byId("at").textContent = say("step", {k: at + Number(Boolean(question)), n: elimination.interior.length});
    paintPointed();
  }

  function paintControls() {
    const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));
    for (const button of all("[data-order]")) press(button, button.dataset.order === state.order);
    for (const button of all("[data-how]")) press(button, (button.dataset.how === "quiz") === state.isQuiz);
    for (const button of all("[data-go]")) button.setAttribute("aria-disabled", String(!mayGo(button.dataset.go)));
    byId("play").hidden = byId("speeds").hidden = state.isQuiz;
    const share = frame().at / Math.max(elimination.interior.length, 1);
    byId("bar").firstElementChild.style.width = `${100 * share}%`;
  }

  // The cost of the orders, and of the present one so far; a quiz tells that of an order once it has gone through it.
  function paintWork() {
    const rows = [...ORDERS, "own"].map(order => {
      const isNow = order === state.order;
      const some = isNow ? steps.slice(0, frame().at) : elimination.steps(order === "own" ? state.own : orders[order]);
      const isHidden = state.isQuiz && !isNow && !told.has(order);
      const isOver = some.length === elimination.interior.length;
      const cost = elimination.cost(some);
      const text = n => (isHidden ? "?" : isOver ? n : say("so far", {n}));
      const cells = [cost.multiplications, cost.additions].map(n => `<td>${text(n)}</td>`).join("");
      return `<tr class="${isNow ? "at" : ""}"><th scope="row">${say(`name ${order}`)}</th>${cells}</tr>`;
    });
    const head = "<thead><tr><th>order</th><th>multiplications</th><th>additions</th></tr></thead>";
    byId("work").innerHTML = `${head}<tbody>${rows.join("")}</tbody>`;
  }

  function paintJacobian() {
    const left = graph();
    const columns = [...nodes.keys()].slice(0, elimination.inputs);
    const cell = (z, x) => {
      const isKnown = z === x || left.into.get(z)?.has(x);
      const isFinal = isDone() || z === x || (isKnown && elimination.isWhole(left, z, x));
      const text = isKnown || isDone() ? format(elimination.entry(left, z, x)) : "?";
      return `<td class="m ${isFinal ? "" : "open"}">${text}</td>`;
    };
    const head = columns.map(x => `<th scope="col" class="m">${nameOf(x)}</th>`).join("");
    const rows = elimination.outputs.map(
      z => `<tr><th scope="row" class="m">${nameOf(z)}</th>${columns.map(x => cell(z, x)).join("")}</tr>`,
    );
    byId("jacobian").innerHTML = `<thead><tr><th></th>${head}</tr></thead><tbody>${rows.join("")}</tbody>`;
    byId("jacobian-note").textContent = say(isDone() ? "final" : "later");
  }

  // Steps.

  function mayGo(where) {
    const isOnward = where === "step" || where === "last";
    if (state.isQuiz && where === "last") return false;
    if (isOnward) return state.position < frames.length - 1 && (!isAsked() || stage.isPresenting());
    return state.position > 0;
  }

  function go(where) {
    if (!mayGo(where)) return;
    if (where === "step" && isAsked()) return show(); // before a class the first press shows the answer
    const end = frames.length - 1;
    move({first: 0, last: end, back: state.position - 1, step: state.position + 1}[where]);
  }

  function move(position) {
    state.position = position;
    byId("verdict").hidden = true;
    byId("answer").value = "";
    paint();
    announce(`${byId("ask").innerHTML} ${byId("said").innerHTML}`);
    if (isAsked() && !stage.isPresenting()) byId("answer").focus({preventScroll: true});
  }

  // A node was chosen: it goes next, in an order of the reader's own.
  function pick(i) {
    if (!mayPick(i)) return;
    stage.stop();
    const {at} = frame();
    state.own = [...steps.slice(0, at).map(step => step.node), i];
    state.order = "own";
    plan();
    move(frames.findIndex(one => one.at === (state.isQuiz ? at : at + 1) && (!state.isQuiz || one.question)));
  }

  function chooseOrder(order) {
    if (order === state.order) return;
    stage.stop();
    state.order = order;
    state.pointed = null;
    plan();
    move(order === "own" && !state.isQuiz ? frames.length - 1 : 0);
  }

  function chooseHow(how) {
    if (state.isQuiz === (how === "quiz")) return;
    stage.stop();
    state.isQuiz = how === "quiz";
    memory = {};
    told.clear();
    plan();
    move(0);
  }

  // Questions.

  function show() {
    const {question} = frame();
    question.right ??= false;
    question.open = true;
    paint();
    announce(byId("said").innerHTML);
    document.querySelector("[data-go=step]").focus({preventScroll: true});
  }

  function answer(text) {
    const {at, question} = frame();
    const found = removal.check(steps[at], question, text);
    if (!found.isUnread) question.right ??= found.right;
    question.open = found.right;
    paint();
    const box = byId("verdict");
    box.hidden = false;
    box.classList.toggle("right", found.right);
    box.innerHTML = `<b>${found.title}${/[?.]$/.test(found.title) ? "" : "."}</b>${found.text}`;
    announce(box.innerHTML.replace("</b>", "</b> "));
    if (found.right) document.querySelector("[data-go=step]").focus({preventScroll: true});
  }

  byId("form").addEventListener("submit", event => {
    event.preventDefault();
    if (isAsked()) answer(byId("answer").value);
  });
  byId("show").addEventListener("click", show);

  // Controls.

  const listen = (selector, act) => {
    for (const button of all(selector)) button.addEventListener("click", () => act(button.dataset));
  };
  listen("[data-go]", ({go: where}) => (stage.stop(), go(where)));
  listen("[data-order]", ({order}) => chooseOrder(order));
  listen("[data-how]", ({how}) => chooseHow(how));
  byId("picture").addEventListener("click", ({target}) => {
    if (stage.isPresenting() && !target.closest(".box")) go("step");
  });

  const KEYS = {ArrowRight: "step", ArrowLeft: "back", PageDown: "step", PageUp: "back", Home: "first", End: "last"};
  document.addEventListener("keydown", event => {
    const {key, target} = event;
    if (event.ctrlKey || event.altKey || event.metaKey || target.closest?.("input, select") || event.defaultPrevented)
      return;
    const isFree = !target.closest?.("button, .box"); // those have these keys for themselves
    if (KEYS[key] || (stage.isPresenting() && isFree && (key === " " || key === "Enter"))) {
      stage.stop();
      go(KEYS[key] ?? "step");
    } else if (key === "Escape" && stage.isPresenting()) stage.present(false);
    else if (key.toLowerCase() === "p") stage.present(!stage.isPresenting());
    else if (key === " " && isFree) stage.play();
    else return;
    event.preventDefault();
  });

  followThemes();
  plan();
  paint();
  // Letters cannot be measured before the page is seen: a notebook may load it out of sight.
  new ResizeObserver(paint).observe(byId("figures"));
})();
