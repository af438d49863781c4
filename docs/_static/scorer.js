// The order of the site's search results. Sphinx puts this file into searchtools.js and asks `score` for each result.
// The search counts every page that contains the word the same, so each part of the site adds its own number.
var Scorer = (() => {
  const PARTS = [
    [/^(notebooks\/|glossary$|concepts$|start$|order$|the-text$)/, 8], // pages that teach
    [/^(howto\/|explore$|lecture$|derivatives$|compile$|nets$|coming-from$)/, 4],
    [/^(decisions|design$|contributing$|changelog$|speed$)/, -12], // pages for developers
  ];

  return {
    score: ([page, , , , score]) => score + (PARTS.find(([pattern]) => pattern.test(page))?.[1] ?? 0),
    // The other numbers are Sphinx's own.
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: {0: 15, 1: 5, 2: -5},
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
  };
})();
