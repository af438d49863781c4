"use strict";
// Small tools of all pages.
const byId = id => document.getElementById(id);
const all = selector => document.querySelectorAll(selector);

const ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"};
const escaped = text => text.replace(/[&<>"']/g, c => ENTITIES[c]);

// The text of HTML that has only italics, bold, sub- and superscripts. Raised and lowered numbers become small digits.
const RAISED = Object.fromEntries([..."0123456789−"].map((c, k) => [c, "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"[k]]));
const LOWERED = Object.fromEntries([..."0123456789"].map((c, k) => [c, "₀₁₂₃₄₅₆₇₈₉"[k]]));
const small = (text, digits, otherwise) =>
  [...text].every(c => c in digits) ? [...text].map(c => digits[c]).join("") : otherwise;
const plainText = markup => {
  const flat = markup
    .replace(/<sup>([^<]*)<\/sup>/g, (_, text) => small(text, RAISED, `^${text}`))
    .replace(/<sub>([^<]*)<\/sub>/g, (_, text) => small(text, LOWERED, text))
    .replace(/<[^>]*>/g, "");
  return Object.entries(ENTITIES).reduceRight((text, [c, entity]) => text.replaceAll(entity, c), flat);
};

function element(name, attributes = {}, markup = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.innerHTML = markup;
  return made;
}

// Tell a screen reader, after a while where more may follow.
function announce(markup, wait = 0) {
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => (byId("live").textContent = plainText(markup)), wait);
}

// The theme is the reader's choice, else the notebook's, which its page sends, else the system's.
function followThemes() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let isChosen = false;
  byId("theme").addEventListener("click", () => {
    const theme = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    root.dataset.theme = theme === "dark" ? "light" : "dark";
    isChosen = true;
  });
  addEventListener("message", event => {
    if (!isChosen && ["light", "dark"].includes(event.data?.theme)) root.dataset.theme = event.data.theme;
  });
}
