"use strict";
// Playing and presenting; `steps` has go(where), mayGo(where) and paint().
function makeStage(steps, say) {
  let timer = null;

  function stop() {
    clearInterval(timer);
    timer = null;
    byId("play").textContent = say("play");
    byId("play").setAttribute("aria-pressed", "false");
  }

  function play() {
    if (timer !== null) return stop();
    if (byId("play").hidden) return;
    if (!steps.mayGo("step")) steps.go("first");
    byId("play").textContent = say("pause");
    byId("play").setAttribute("aria-pressed", "true");
    const step = () => {
      steps.go("step");
      if (!steps.mayGo("step")) stop();
    };
    timer = setInterval(step, 1600 / Number(byId("speed").value));
  }

  const isPresenting = () => document.body.classList.contains("presenting");

  function present(on) {
    document.body.classList.toggle("presenting", on);
    byId("present").textContent = say(on ? "leave" : "present");
    if (on) document.documentElement.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
    scrollTo(0, 0);
    steps.paint();
  }

  byId("play").addEventListener("click", play);
  byId("speed").addEventListener("change", () => {
    if (timer === null) return;
    stop();
    play();
  });
  byId("present").addEventListener("click", () => present(!isPresenting()));
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && isPresenting()) present(false);
  });

  return {play, stop, present, isPresenting};
}
