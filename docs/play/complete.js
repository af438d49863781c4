// Completion in the cell: names below it, chosen by the arrow keys and Enter, or by a click.

export function completing(field, list, ask) {
  let names = [],
    typed = 0,
    at = 0,
    asked = 0;

  const isOpen = () => !list.hidden;

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function mark(k) {
    at = (k + names.length) % names.length;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
    list.children[at].scrollIntoView({block: "nearest"});
    field.setAttribute("aria-activedescendant", `name-${at}`);
  }

  function take(k) {
    const end = field.selectionStart;
    field.setRangeText(names[k], end - typed, end, "end");
    close();
    field.focus();
    field.dispatchEvent(new Event("input", {bubbles: true}));
    close();
  }

  async function open() {
    const mine = ++asked,
      before = field.value.slice(0, field.selectionStart);
    const found = await ask(before.split("\n").at(-1)).catch(() => null);
    if (mine !== asked || !found?.names.length || field.value.slice(0, field.selectionStart) !== before) return close();
    ({names, typed} = found);
    list.replaceChildren(
      ...names.map((name, k) => {
        const item = document.createElement("li");
        item.textContent = name;
        item.id = `name-${k}`;
        item.setAttribute("role", "option");
        item.addEventListener("pointerdown", event => {
          event.preventDefault();
          take(k);
        });
        return item;
      }),
    );
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark(0);
  }

  field.addEventListener("input", () => {
    const before = field.value.slice(0, field.selectionStart);
    if (/[\w)]\.\w*$/.test(before)) open();
    else close();
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", event => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      return open();
    }
    if (!isOpen()) return;
    const moves = {ArrowDown: 1, ArrowUp: -1};
    if (event.key in moves) mark(at + moves[event.key]);
    else if (event.key === "Enter" && !event.ctrlKey) take(at);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}
