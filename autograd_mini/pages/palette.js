"use strict";
// The colours of the theme that is on, as lists of red, green and blue; and the keys that say what they mean. `ofClasses`
// names the colours of classes.
function makePalette(ofClasses) {
  // The style of an element gives each colour as numbers, however the style sheet writes it.
  const probe = element("span", {hidden: ""});
  document.body.append(probe);
  let known = {};

  function colour(name) {
    if (!known[name]) {
      probe.style.color = `var(--${name})`;
      known[name] = getComputedStyle(probe)
        .color.match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number);
    }
    return known[name];
  }

  // To be called when the theme changes.
  function forget() {
    known = {};
  }

  const css = rgb => `rgb(${rgb})`;
  const paint = name => css(colour(name));
  const mixed = (from, to, share) => from.map((x, k) => Math.round(x + (to[k] - x) * share));
  const nameOfClass = k => ofClasses[k % ofClasses.length];

  // The colour of a number from -1 to 1: that of the page for 0, and strong at both ends.
  function shade(s, least, more) {
    return mixed(colour("page"), colour(s > 0 ? "positive" : "negative"), least + more * Math.abs(s));
  }

  // An item of a key: a shape in a colour, and what it means.
  function keyItem(path, name, text) {
    const shape = svgElement("path", {d: path, style: `fill: var(--${name})`});
    const item = element("li");
    item.append(svgElement("svg", {viewBox: "0 0 16 16", "aria-hidden": "true"}, shape), text);
    return item;
  }

  return {colour, forget, css, paint, mixed, shade, nameOfClass, keyItem};
}
