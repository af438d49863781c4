"use strict";
// The table of the parameters: values and derivatives. `look` is told the parameter that the reader points at, or null.
function makeTable(facts, trainer, numbers, look) {
  const body = document.querySelector("#values tbody");
  const rows = facts.parameters.map(({name}, k) => {
    const row = element("tr", {}, `<th scope="row">${name}</th><td></td><td></td>`);
    row.addEventListener("pointerenter", () => look(k));
    row.addEventListener("pointerleave", () => look(null));
    body.append(row);
    return row;
  });

  function paint() {
    rows.forEach((row, k) => {
      row.cells[1].textContent = numbers.format(trainer.parameters[k]);
      row.cells[2].textContent = numbers.format(trainer.slopes[k]);
    });
  }

  function mark(looked) {
    rows.forEach((row, k) => row.classList.toggle("at", k === looked));
  }

  return {paint, mark};
}
