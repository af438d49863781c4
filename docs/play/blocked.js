// A classic script, for browsers that cannot run the page: it says why.
(function () {
  var why =
    location.protocol === "file:"
      ? "A browser does not start Python for a page from a folder. Type python -m http.server in the folder, and open its address."
      : typeof WebAssembly !== "object"
        ? "This browser has no WebAssembly, or it is switched off."
        : typeof Worker !== "function"
          ? "This browser has no workers."
          : "";
  if (!why) return;
  document.getElementById("blocked-why").textContent = why;
  document.getElementById("blocked").hidden = false;
  document.getElementById("work").hidden = true;
})();
