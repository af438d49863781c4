// Beside a frame in a notebook: tell the frame the notebook's theme, which it may not read itself, and each change.
(() => {
  const frame = document.currentScript.previousElementSibling,
    {body, documentElement: root} = document;
  const theme = () => {
    const light = body.dataset.jpThemeLight ?? root.dataset.jpThemeLight;
    if (light !== undefined) return light === "false" ? "dark" : "light";
    const code = /vscode-(dark|light|high-contrast)/.exec(body.className);
    if (code) return code[1] === "light" ? "light" : "dark";
    return root.dataset.theme ?? body.dataset.theme;
  };
  const tell = () => frame.contentWindow?.postMessage({theme: theme()}, "*");
  frame.addEventListener("load", tell);
  for (const element of [body, root]) new MutationObserver(tell).observe(element, {attributes: true});
})();
