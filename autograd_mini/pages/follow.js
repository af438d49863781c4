// Beside a frame in a notebook: tell the frame the notebook's theme, which it may not read itself, and each change.
(() => {
  const frame = document.currentScript.previousElementSibling,
    {body, documentElement: root} = document;
  const theme = () => {
    const light = body.dataset.jpThemeLight ?? root.dataset.jpThemeLight;
    if (light !== undefined) return light === "false" ? "dark" : "light";
    const code = /vscode-(dark|light|high-contrast-light|high-contrast)/.exec(body.className);
    if (code) return code[1].endsWith("light") ? "light" : "dark";
    return root.dataset.theme ?? body.dataset.theme;
  };
  const tell = () => {
    if (!frame.isConnected) watch.disconnect();
    frame.contentWindow?.postMessage({theme: theme()}, "*");
  };
  const watch = new MutationObserver(tell);
  frame.addEventListener("load", tell);
  for (const element of [body, root]) watch.observe(element, {attributes: true});
})();
