// The state of the page, in the fragment of its address: an expression with its numbers, or a cell; and the view.
// All of it is text to show: an expression is read by the package, and a cell is run by the person alone.

import {EXAMPLES} from "./examples.js";

const LONGEST = 20_000; // characters of a part
export const TABS = ["picture", "derivation", "explore", "quiz", "tables", "paths", "blame", "slope", "program"];

export function written({mode, expression, numbers, cell, tab, wrt}) {
  const parts = mode === "cell" ? {code: cell} : {e: expression, n: numbers};
  if (tab !== "picture") parts.tab = tab;
  if (wrt) parts.wrt = wrt;
  return `#${new URLSearchParams(parts)}`;
}

// What a fragment holds, or nothing.
export function read(fragment) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const part = name => (parts.get(name) ?? "").slice(0, LONGEST);
  const view = {tab: TABS.includes(parts.get("tab")) ? parts.get("tab") : "picture", wrt: part("wrt")};
  if (parts.has("code")) return {mode: "cell", cell: part("code"), ...view};
  if (parts.has("e")) return {mode: "expression", expression: part("e"), numbers: part("n"), ...view};
  const name = parts.get("x");
  return name !== null && Object.hasOwn(EXAMPLES, name) ? example(name) : null;
}

export function example(name) {
  const {expression, numbers, cell, tab = "picture", wrt = ""} = EXAMPLES[name];
  return cell ? {mode: "cell", cell, tab, wrt} : {mode: "expression", expression, numbers, tab, wrt};
}
