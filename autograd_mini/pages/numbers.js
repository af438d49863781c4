"use strict";
// Numbers as plain text, which a canvas, an SVG and HTML can all show.
function makeNumbers(precision) {
  const DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const withMinus = text => text.replace("-", "−");

  const powerOfTen = k => `10${k < 0 ? "⁻" : ""}${[...String(Math.abs(k))].map(d => DIGITS[d]).join("")}`;

  // A number with all of its significant digits.
  function format(x, digits = precision) {
    if (!Number.isFinite(x)) return x > 0 ? "∞" : x < 0 ? "−∞" : "—";
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (size >= 0.001 && size < 9999.5) {
      const text = x.toPrecision(digits);
      return withMinus(text.includes("e") ? String(Number(text)) : text);
    }
    const [mantissa, exponent] = x.toExponential(Math.min(digits, 3) - 1).split("e");
    return `${withMinus(mantissa)}·${powerOfTen(Number(exponent))}`;
  }

  // A number with three digits, or two before a power of ten, as in a neuron.
  const short = x => (format(x, 3).includes("·") ? format(x, 2) : format(x, 3));

  // A number without zeros at its end, as on an axis.
  const brief = x => withMinus(String(Number(x.toPrecision(4))));

  // A short number with its sign, as on a wire.
  function signed(x) {
    if (x === 0) return "0";
    const size = Math.abs(x);
    const decimals = size >= 99.5 ? 0 : size >= 9.95 ? 1 : size >= 0.095 ? 2 : 3;
    const text = size >= 9999.5 || size < 0.0005 ? format(size, 1) : size.toFixed(decimals);
    return `${x < 0 ? "−" : "+"}${text}`;
  }

  // A text of digits with a narrow space between thousands.
  const grouped = text => text.replace(/(?<!\.\d*)\B(?=(\d{3})+(?!\d))/g, "\u202f");

  const percent = share => `${Number((100 * share).toFixed(1))} %`;

  return {format, short, brief, signed, grouped, percent, powerOfTen};
}
