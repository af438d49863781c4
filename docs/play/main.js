// The page: fields in, Python asked, what it answers shown. The newest text counts; older requests are left out.

import {completing} from "./complete.js";
import {EXAMPLES} from "./examples.js";
import {example, read, TABS, written} from "./link.js";
import {startPython, Stopped} from "./python.js";
import {element, shown} from "./show.js";
import {copied, png, save} from "./take.js";

const LIMIT = 15, // seconds for an expression and its view
  CELL_LIMIT = 120, // seconds for a cell
  PAUSE = 600; // milliseconds after the last key, before a whole page is made again
const OF_A_NODE = {derivation: true, blame: true, paths: false, slope: false}; // whether all leaves are a choice, too

const $ = id => document.getElementById(id);
const fields = {expression: $("expression"), numbers: $("numbers"), cell: $("cell")};
const state = {mode: "expression", expression: "", numbers: "", cell: "", tab: "picture", wrt: ""};
let computed = "", // the text whose graph Python has
  facts = null, // of that graph
  wanted = false,
  working = false,
  pause = 0;

const narrow = matchMedia("(max-width: 46rem)"); // where pictures go from top to bottom
const python = startPython(heard);

function heard({come, total, stage, ready, broken, printed}) {
  if (total) $("progress").value = (0.9 * come) / total;
  if (stage) say(stage);
  if (ready) {
    $("progress").hidden = true;
    if (state.mode === "cell") say("");
    $("version").textContent = `autograd_mini ${ready.package}, Python ${ready.python}.`;
    document.body.dataset.ready = "yes";
    navigator.serviceWorker?.register("offline.js").catch(() => {}); // without it a second visit needs a network
  }
  if (printed) {
    $("printed").hidden = false;
    const text = $("printed").textContent + printed;
    $("printed").textContent = text.replace(/[^\n]*\r(?=[^\n])/g, ""); // a bar that moves writes over its line
  }
  if (broken) {
    $("blocked-why").textContent = broken;
    $("blocked").hidden = false;
    $("progress").hidden = true;
    say("Python did not start.");
  }
}

const many = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const say = text => ($("status").textContent = text);

// Show Stop while something takes long.
async function watched(work) {
  const slow = setTimeout(() => ($("stop").hidden = false), 400);
  try {
    return await work;
  } finally {
    clearTimeout(slow);
    $("stop").hidden = true;
  }
}

// The graph and its view.

function refresh() {
  clearTimeout(pause);
  remember();
  wanted = true;
  if (!working) work();
}

async function work() {
  working = true;
  while (wanted) {
    wanted = false;
    await python.ready();
    const begun = performance.now();
    try {
      if (state.mode === "expression") await compute();
      if (!wanted && facts) await view(begun);
    } catch (error) {
      complain(error);
    }
  }
  working = false;
}

async function compute() {
  const text = JSON.stringify([state.expression, state.numbers]);
  if (text === computed) return;
  try {
    facts = await watched(python.ask("compute", [state.expression, state.numbers], LIMIT));
    computed = text;
    mistake("");
  } catch (error) {
    if (error instanceof Stopped) computed = "";
    mistake(error.message);
    $("view").classList.add("old");
    throw error;
  }
}

async function view(begun) {
  const {tab} = state;
  choices();
  const answer = await watched(python.ask("show", [tab, state.wrt, narrow.matches], LIMIT));
  if (tab !== state.tab) return;
  $("results").hidden = $("copies").hidden = false;
  $("view").classList.remove("old");
  $("view").replaceChildren(...shown(answer));
  const took = Math.round(performance.now() - begun);
  say(`${many(facts.nodes, "node")}, ${many(facts.edges, "edge")}; ${took} ms`);
  document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
  if (!performance.getEntriesByName("first picture").length) performance.mark("first picture");
}

// Errors of the expression stand below it, whole; those of a view stand in its place.
function complain(error) {
  if (!$("error").hidden && state.mode === "expression")
    return say("The picture shows the last complete text.");
  say(error instanceof Stopped ? error.message : "");
  $("results").hidden = false;
  $("view").replaceChildren(element("pre", error.message, {class: "error"}));
  document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
}

// Show what is wrong with the expression, and a button where it is a number that is missing or is too many.
function mistake(message) {
  $("error").hidden = !message;
  if ($("error").textContent !== message) $("error").textContent = message;
  fields.expression.setAttribute("aria-invalid", String(Boolean(message)));
  const missing = /^([\p{L}_][\p{L}\p{N}_]*) has no value: give/u.exec(message)?.[1];
  const unused = /^([\p{L}\p{N}_, ]+): given a value, but/u.exec(message)?.[1];
  $("give").hidden = !missing && !unused;
  if (missing) $("give").textContent = `Give ${missing} = 1`;
  if (unused) $("give").textContent = `Take ${unused} away`;
  $("give").onclick = () => {
    const without = (unused?.split(", ") ?? []).reduce(
      (text, name) => text.replace(new RegExp(`(^|[\\s,;])${name}\\s*=\\s*[^\\s,;]*`, "u"), "$1"),
      fields.numbers.value,
    );
    fields.numbers.value = missing ? `${without.trimEnd()} ${missing}=1`.trim() : without.trim();
    typed();
    fields.numbers.focus();
  };
}

// Offer the nodes that a derivative can be with respect to.
function choices() {
  const all = OF_A_NODE[state.tab];
  $("which").hidden = all === undefined;
  if (all === undefined) return;
  const names = facts.names;
  if (!names.includes(state.wrt) && !(all && state.wrt === "")) state.wrt = all ? "" : (names[0] ?? "");
  const options = [
    ...(all ? [["", state.tab === "blame" ? "all leaves" : "all nodes"]] : []),
    ...names.map(x => [x, x]),
  ];
  $("wrt").replaceChildren(...options.map(([value, text]) => element("option", text, {value})));
  $("wrt").value = state.wrt;
}

// Fields, tabs and the address.

function typed() {
  for (const [name, field] of Object.entries(fields)) state[name] = field.value;
  $("example").value = "";
  if (state.mode === "cell") return remember();
  clearTimeout(pause);
  if (["explore", "quiz"].includes(state.tab)) pause = setTimeout(refresh, PAUSE);
  else refresh();
}

function remember() {
  const address = written(state);
  if (address !== location.hash) history.replaceState(null, "", address);
}

function open(tab) {
  state.tab = tab;
  for (const button of document.querySelectorAll("[data-tab]")) {
    const chosen = button.dataset.tab === tab;
    button.setAttribute("aria-selected", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    if (chosen) $("view").setAttribute("aria-labelledby", button.id);
  }
}

function mode(name) {
  state.mode = name;
  $("expression-part").hidden = name !== "expression";
  $("cell-part").hidden = name !== "cell";
  $("as-expression").setAttribute("aria-pressed", String(name === "expression"));
  $("as-cell").setAttribute("aria-pressed", String(name === "cell"));
  $("results").hidden = $("copies").hidden = true;
  computed = "";
  facts = null;
}

// Take over a state, such as that of a link. A cell is filled, and not run.
function take(given) {
  $("from-link").hidden = true;
  mode(given.mode);
  open(given.tab);
  state.wrt = given.wrt;
  for (const [name, field] of Object.entries(fields)) {
    if (name in given) field.value = given[name];
    state[name] = field.value;
  }
  fields.expression.rows = Math.min(12, Math.max(3, fields.expression.value.split("\n").length));
  fields.cell.rows = Math.min(24, Math.max(9, fields.cell.value.split("\n").length + 1));
  for (const part of ["printed", "cell-error", "value"]) $(part).hidden = true;
  mistake("");
  if (given.mode === "expression") return refresh();
  remember();
  if (document.body.dataset.ready) say("");
}

// The cell.

async function run() {
  if (working) return;
  working = true;
  computed = "";
  facts = null;
  $("from-link").hidden = true;
  $("printed").replaceChildren();
  for (const part of ["printed", "cell-error", "value", "results", "copies"]) $(part).hidden = true;
  $("stop").hidden = false;
  say("Running…");
  const begun = performance.now();
  try {
    const answer = await python.ask("run", [state.cell], CELL_LIMIT);
    facts = answer.facts ?? null;
    const parts = answer.facts ? [element("pre", answer.text)] : shown(answer);
    $("value").replaceChildren(...parts);
    $("value").hidden = !parts.length;
    say(`Done in ${Math.round(performance.now() - begun)} ms`);
  } catch (error) {
    $("cell-error").textContent = error.message;
    $("cell-error").hidden = false;
    say(error instanceof Stopped ? error.message : "The cell ended with an error.");
  }
  $("stop").hidden = true;
  working = false;
  document.body.dataset.ran = String(Number(document.body.dataset.ran ?? 0) + 1);
  if (facts) refresh();
}

// What is taken along.

async function takeAlong({copy, save: kind}) {
  try {
    if (copy === "link") remember();
    if (copy) {
      const here = {link: location.href, python: state.mode === "cell" ? state.cell : undefined}[copy];
      await copied(here ?? (await python.ask("copies", [copy], LIMIT)));
      return say("Copied.");
    }
    const {svg} = await watched(python.ask("show", ["picture", "", narrow.matches], LIMIT));
    const background = getComputedStyle(document.body).backgroundColor;
    const blob = kind === "svg" ? new Blob([svg], {type: "image/svg+xml"}) : await png(svg, background);
    save(blob, `graph.${kind}`);
    say(`Saved graph.${kind}.`);
  } catch (error) {
    say(error.message);
  }
}

// Begin.

$("example").append(element("option", "choose…", {value: ""}));
for (const [name, {title}] of Object.entries(EXAMPLES)) $("example").append(element("option", title, {value: name}));
$("example").addEventListener("change", async event => {
  const name = event.target.value;
  if (!name) return;
  take(example(name));
  if (state.mode === "cell") await run(); // the page's own lines
});

fields.expression.addEventListener("input", typed);
fields.numbers.addEventListener("input", typed);
fields.cell.addEventListener("input", typed);
$("as-expression").addEventListener("click", () => {
  mode("expression");
  refresh();
});
$("as-cell").addEventListener("click", () => {
  mode("cell");
  remember();
  fields.cell.focus();
});
$("run").addEventListener("click", run);
fields.cell.addEventListener("keydown", event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
completing(fields.cell, $("names"), before =>
  working ? Promise.reject(new Error("Python is busy")) : python.ask("complete", [before], LIMIT),
);
$("stop").addEventListener("click", () => python.stop("Stopped. Python starts again."));
$("wrt").addEventListener("change", event => {
  state.wrt = event.target.value;
  refresh();
});
for (const button of document.querySelectorAll("[data-tab]")) {
  button.id = `tab-${button.dataset.tab}`;
  button.setAttribute("aria-controls", "view");
  button.addEventListener("click", () => {
    open(button.dataset.tab);
    refresh();
  });
  button.addEventListener("keydown", event => {
    const at = TABS.indexOf(state.tab);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = TABS.at(to % TABS.length);
    open(tab);
    $(`tab-${tab}`).focus();
    refresh();
  });
}
for (const button of document.querySelectorAll("[data-copy], [data-save]")) {
  button.addEventListener("click", () => takeAlong(button.dataset));
}
narrow.addEventListener("change", () => facts && refresh());
addEventListener("hashchange", follow);

function follow() {
  const given = read(location.hash);
  take(given ?? example("J"));
  $("from-link").hidden = given?.mode !== "cell";
}

follow();
