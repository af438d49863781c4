"use strict";
// The controls of the quiz. `page` has now(), line(), paint(), follow(step), reveal() and isPresenting().
function makeAsking(quiz, facts, page) {
  const {words} = facts;
  let list = []; // of questions: `hints` counts the hints, `open` says the answer is shown, `right` settles the score
  let k = 0;
  let isOver = false;

  const question = () => (isOver ? null : list[k]);

  function restart(isFirst = () => true) {
    list = quiz.questions(page.now(), page.line(), {seed: facts.seed}).map(q => ({...q, hints: 0}));
    isOver = !list.length;
    k = Math.max(list.findIndex(isFirst), 0);
    clear();
  }

  function clear() {
    byId("verdict").hidden = true;
    byId("answer").value = "";
  }

  // The step that is shown with a question, and the edge whose local derivative is known besides.
  function shownAt() {
    const {at, kind, open} = question();
    return open && kind !== "next" && kind !== "arrow" ? at : at - 1;
  }
  function revealedEdge() {
    const q = question();
    return q?.edge !== undefined && (q.kind !== "arrow" || q.open) ? q.edge : null;
  }

  function paint(say) {
    const q = question();
    byId("form").hidden = !q || Boolean(q.open);
    if (!q) {
      byId("ask").innerHTML = say(list.length ? "finished" : "nothing");
      const missed = list.flatMap(({right}, i) => (right ? [] : [i + 1]));
      const score = say("score", {right: list.length - missed.length, asked: list.length});
      const texts = [score, missed.length ? say("missed", {list: missed.join(", ")}) : ""];
      byId("said").innerHTML = list.length ? texts.join(" ") : "";
      byId("at").textContent = say("score title");
      return;
    }
    const stages = q.kind === "next" && !q.open ? [] : quiz.solution(page.now(), page.line(), q);
    const hinted = q.hints ? [...stages.slice(0, 1 + q.hints), "?"] : [];
    byId("ask").innerHTML = quiz.ask(page.now(), q);
    byId("said").innerHTML = (q.open ? stages : hinted).join(" = ");
    byId("at").textContent = say("question", {k: k + 1, n: list.length});
    byId("hint").hidden = q.kind === "next";
    byId("hint").setAttribute("aria-disabled", String(q.hints >= stages.length - 2));
  }

  function verdict({right, title, text}) {
    const box = byId("verdict");
    box.hidden = false;
    box.classList.toggle("right", right);
    box.innerHTML = `<b>${title}${/[?.]$/.test(title) ? "" : "."}</b>${text}`;
    announce(box.innerHTML.replace("</b>", "</b> "));
  }

  // Check an answer: a text, or of a question for a node its place.
  function answer(given) {
    const q = question();
    if (!q || q.open) return;
    const found = quiz.check(page.now(), page.line(), q, given);
    if (!found.isUnread) q.right ??= found.right && q.hints === 0;
    q.open = found.right;
    page.paint();
    verdict(found);
    page.reveal();
    if (found.right) focusNext();
  }

  // Show the answer; the question is not counted as answered.
  function show() {
    const q = question();
    q.right ??= false;
    q.open = true;
    page.paint();
    announce(byId("said").innerHTML);
    focusNext();
  }

  const focusNext = () => document.querySelector("[data-go=step]").focus({preventScroll: true});
  const focusAnswer = () => {
    if (question() && !question().open && !page.isPresenting()) byId("answer").focus({preventScroll: true});
  };

  const isOnward = where => ["step", "node"].includes(where);
  const mayGo = where =>
    list.length > 0 &&
    where !== "last" &&
    (isOnward(where) ? !isOver && (question().open || page.isPresenting()) : isOver || k > 0);

  function go(where) {
    if (isOnward(where) && !question().open) return show(); // before a class the first press shows the answer
    if (where === "first") k = 0;
    else if (isOnward(where)) isOver = ++k >= list.length;
    else if (!isOver) k--;
    if (!isOnward(where)) isOver = false;
    k = Math.min(k, list.length - 1);
    clear();
    if (question()) page.follow(page.line()[question().at]);
    page.paint();
    announce(`${byId("ask").innerHTML} ${byId("said").innerHTML}`);
    page.reveal();
    focusAnswer();
  }

  // A sheet to print: the picture with question marks, the questions, and the answers on a page of their own.
  function writeSheet(picture, title) {
    const now = page.now();
    const onPaper = list.filter(({kind}) => kind !== "next");
    const asked = onPaper.map(q => `<li><span class="m">${quiz.ask(now, q)}</span><div class="line"></div></li>`);
    const answers = onPaper.map(q => `<li class="m">${quiz.solution(now, page.line(), q).join(" = ")}</li>`);
    const key = `<h1 class="m">${words.key}: ${title}</h1><ol>${answers.join("")}</ol>`;
    byId("sheet").replaceChildren(
      element("p", {class: "name"}, words.name),
      element("h1", {class: "m"}, title),
      picture,
      element("ol", {}, asked.join("")),
      element("div", {class: "key"}, key),
    );
    document.body.classList.add("printing");
  }
  addEventListener("afterprint", () => document.body.classList.remove("printing"));

  byId("form").addEventListener("submit", event => {
    event.preventDefault();
    answer(byId("answer").value);
  });
  byId("hint").addEventListener("click", () => {
    if (byId("hint").getAttribute("aria-disabled") === "true") return;
    question().hints++;
    page.paint();
    announce(byId("said").innerHTML);
    focusAnswer();
  });
  byId("show").addEventListener("click", show);

  const share = () => (isOver ? 1 : k / list.length);
  return {question, restart, clear, shownAt, revealedEdge, paint, answer, mayGo, go, writeSheet, focusAnswer, share};
}
