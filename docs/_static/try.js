// A button under each block of Python lines with prompts: it opens them in the playground, after those above them.
(() => {
  const play = new URL("../play/index.html", document.currentScript.src).href;

  // The examples of a block: what is typed, and whether Python answers with an error.
  function examples(text) {
    const found = [];
    for (const line of text.split("\n")) {
      const prompt = /^(>>>|\.\.\.)( |$)(.*)/.exec(line);
      if (prompt?.[1] === ">>>") found.push({code: prompt[3], fails: false});
      else if (prompt && found.length) found.at(-1).code += `\n${prompt[3]}`;
      else if (found.length && line.startsWith("Traceback")) found.at(-1).fails = true;
    }
    return found;
  }

  const above = [];
  for (const block of document.querySelectorAll("article div.highlight pre")) {
    const found = examples(block.textContent);
    if (!found.length) continue;
    const lines = found.filter(({fails}, k) => !fails || k === found.length - 1).map(({code}) => code);
    const link = document.createElement("a");
    link.className = "try";
    link.textContent = "Try";
    link.title = "Open these lines in the playground";
    const before = above.length ? `${above.join("\n")}\n\n` : "";
    link.href = `${play}#${new URLSearchParams({code: before + lines.join("\n")})}`;
    block.closest("div.highlight").parentElement.after(link);
    above.push(...found.filter(({fails}) => !fails).map(({code}) => code));
  }
})();
