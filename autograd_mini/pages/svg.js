"use strict";
// SVG elements, and the text of HTML markup that has only italics, bold, sub- and superscripts.
const SVG = "http://www.w3.org/2000/svg";

function svgElement(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The pieces of markup; `level` says how far below the line a piece stands, as a share of the size of the letters.
function textPieces(markup) {
  const holder = element("template", {}, markup);
  const pieces = [];
  function walk(node, italic, bold, level) {
    if (node.nodeType === Node.TEXT_NODE) {
      pieces.push({text: node.data, italic, bold, level});
      return;
    }
    const inside = {SUB: 0.2, SUP: -0.34}[node.nodeName] ?? level;
    for (const child of node.childNodes)
      walk(child, italic || node.nodeName === "I", bold || node.nodeName === "B", inside);
  }
  walk(holder.content, false, false, 0);
  return pieces;
}

// Write markup as the spans of an SVG text, and return its length; a text without a limit to its room is not measured.
function setText(text, markup, room = Infinity) {
  if (text.markup === markup && text.room === room && (room === Infinity || text.measured)) return text.measured;
  Object.assign(text, {markup, room, measured: 0});
  let before = 0;
  const spans = textPieces(markup).map(piece => {
    const span = svgElement("tspan", {}, piece.text);
    if (piece.italic) span.setAttribute("font-style", "italic");
    if (piece.bold) span.setAttribute("font-weight", "bold");
    if (piece.level) span.setAttribute("font-size", "72%");
    // A shift is in units of the span's own letters.
    const unit = piece.level ? 0.72 : 1;
    if (piece.level !== before) span.setAttribute("dy", `${(piece.level - before) / unit}em`);
    before = piece.level;
    return span;
  });
  text.replaceChildren(...spans);
  text.removeAttribute("textLength");
  if (room === Infinity) return 0;
  const length = text.getComputedTextLength();
  if (length > room) {
    text.setAttribute("textLength", room);
    text.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
  return (text.measured = Math.min(length, room));
}
