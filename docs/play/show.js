// What Python answers, as elements of the page: a picture, formulas, text, or a page in a frame.
// Text is put in as text. A picture is Graphviz's svg, read as XML, of which scripts and handlers are left out.

export function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  if (content) made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function picture(svg, words) {
  const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  for (const part of [...root.querySelectorAll("*"), root]) {
    if (["script", "foreignObject"].includes(part.localName)) part.remove();
    for (const {name} of [...part.attributes]) if (/^on|href$/i.test(name)) part.removeAttribute(name);
  }
  const holder = element("div", "", {class: "picture", tabindex: "0"});
  holder.append(document.importNode(root, true));
  holder.append(element("p", words, {class: "sr"}));
  return holder;
}

export function formula(tex, display = true) {
  const shown = display ? tex.replaceAll("\\\\\n", "\\\\[.5em]\n") : `\\displaystyle ${tex}`;
  const holder = element(display ? "div" : "span", "", {class: display ? "formula" : "inline"});
  katex.render(shown, holder, {
    displayMode: display,
    throwOnError: false,
    trust: false,
    strict: "ignore",
    maxExpand: 5000,
  });
  return holder;
}

// The Markdown of a derivation: headings in ** **, and items with formulas in $ $.
export function derivation(markdown) {
  const holder = element("div", "", {class: "passes"});
  let part = null;
  for (const line of markdown.split("\n")) {
    const heading = /^\*\*(.*)\*\*$/.exec(line);
    if (heading || !part) {
      part = element("ol", "", {class: "lines"});
      const section = element("section");
      section.append(element("h2", heading?.[1] ?? ""), part);
      holder.append(section);
    }
    if (heading || !line.trim()) continue;
    const pieces = line
      .replace(/^- /, "")
      .trim()
      .split(/\$((?:\\.|[^$\\])*)\$/);
    const item = line.startsWith("- ") ? element("li") : (part.lastElementChild ?? element("li"));
    pieces.forEach((piece, k) => item.append(k % 2 ? formula(piece, false) : piece));
    part.append(item);
  }
  return holder;
}

// A page of Python's, in a frame inside `frame.html`, whose policy it has: no origin and no network.
export function framed({page, height, title}) {
  const frame = element("iframe", "", {src: "frame.html", title, class: "page"});
  frame.style.height = `${height}px`;
  frame.addEventListener("load", () => (frame.contentDocument.querySelector("iframe").srcdoc = page));
  return frame;
}

// All that an answer holds.
export function shown(answer) {
  const parts = [];
  if (answer.svg) parts.push(picture(answer.svg, answer.words));
  if (answer.tex) parts.push(formula(answer.tex));
  if (answer.markdown) parts.push(derivation(answer.markdown));
  if (answer.page) parts.push(framed(answer));
  if (answer.text && !answer.svg && !answer.tex) parts.push(element("pre", answer.text));
  if (answer.note) parts.push(element("p", answer.note, {class: "note"}));
  return parts;
}
