"use strict";
// Numbers as text, and sums and products of texts in brackets where they need them; nothing here touches the page.

// A number of the facts: JSON has no inf and no nan, so they are texts.
const exact = x => (typeof x === "string" ? {inf: Infinity, "-inf": -Infinity, nan: NaN}[x] : x);

function makeTexts(precision) {
  const [SUM, QUOTIENT, PRODUCT, POWER, ATOM] = [1, 2, 3, 4, 5]; // how tightly a text holds together

  // As Python's %g, whole numbers in full, ties to even.
  function general(x) {
    if (Number.isInteger(x) && Math.abs(x) < 1e7) return x.toFixed(0);
    const [mantissa, power] = Math.abs(x).toExponential(100).split("e");
    const all = mantissa.replace(".", "");
    let exponent = Number(power);
    let digits = all.slice(0, precision);
    const rest = all.slice(precision);
    const half = "5".padEnd(rest.length, "0");
    if (rest > half || (rest === half && Number(digits.at(-1)) % 2 === 1)) {
      digits = String(BigInt(digits) + 1n);
      if (digits.length > precision) {
        exponent++;
        digits = digits.slice(0, precision);
      }
    }
    const strip = text => (text.includes(".") ? text.replace(/\.?0*$/, "") : text);
    const sign = x < 0 ? "-" : "";
    if (exponent < -4 || exponent >= precision) return `${sign}${strip(`${digits[0]}.${digits.slice(1)}`)}e${exponent}`;
    if (exponent < 0) return sign + strip(`0.${"0".repeat(-exponent - 1)}${digits}`);
    return sign + strip(`${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`);
  }

  // A number as it is typeset.
  function format(x) {
    if (x !== x) return "nan";
    if (Math.abs(x) === Infinity) return x > 0 ? "∞" : "−∞";
    const [mantissa, power] = general(x).replaceAll("-", "−").split("e");
    return power === undefined ? mantissa : `${mantissa}·10<sup>${power}</sup>`;
  }

  const number = x => {
    const text = format(x);
    return {text, level: x < 0 ? SUM : text.includes("·") ? PRODUCT : ATOM};
  };
  const bracketed = (piece, least) => (piece.level >= least ? piece.text : `(${piece.text})`);
  const sum = pieces =>
    pieces.length === 1
      ? pieces[0]
      : {text: pieces.map((piece, i) => bracketed(piece, i ? QUOTIENT : SUM)).join(" + "), level: SUM};

  return {PRODUCT, POWER, ATOM, general, format, number, bracketed, sum};
}
