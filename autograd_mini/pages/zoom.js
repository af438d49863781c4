"use strict";
// How large a picture is shown. In a narrow window it fits its frame, perhaps with small letters. It is enlarged by the
// button, or by a tap on it: then its frame scrolls, and the tapped place stays where it is. `resize` paints it anew.
function makeZoom(frame, button, resize) {
  const LEAST = 10; // pixels of letters that can be read
  let isNear = false;
  let isSmall = false;

  function toggle(x = innerWidth / 2, y = frame.getBoundingClientRect().top) {
    const place = () => frame.firstElementChild.getBoundingClientRect();
    const before = place();
    isNear = !isNear;
    button.setAttribute("aria-pressed", String(isNear));
    resize();
    const after = place();
    const moved = (start, size, at) => after[start] + ((at - before[start]) / before[size]) * after[size] - at;
    frame.scrollBy({left: moved("left", "width", x), behavior: "instant"});
    scrollBy({top: moved("top", "height", y), behavior: "instant"});
  }

  button.addEventListener("click", () => toggle());
  frame.addEventListener(
    "click",
    event => {
      if (!isSmall || (isNear && event.target.closest(".picks, input"))) return;
      event.stopPropagation(); // a box that is too small to be read is not chosen
      toggle(event.clientX, event.clientY);
    },
    true,
  );

  // Return the scale of a picture that fits its frame at the scale `fit`; `letters` is the size of its smallest.
  function scale(fit, letters) {
    isSmall = fit * letters < LEAST;
    button.hidden = !isSmall;
    return isNear && isSmall ? Math.max(fit, 0.85) : fit;
  }

  // Choose a layout, `wide` or `tall`, for a frame. Where it is larger than the frame, return its scale, too. In a wide
  // window a picture is larger than its frame if it would have to be smaller than `least`.
  function choose({wide, tall}, {room, high = Infinity}, least) {
    const fit = places => Math.min(1, (room - 4) / places.width, high / places.height); // the frame has a padding
    const isNarrow = room < 600;
    const places = fit(wide) < (isNarrow ? 0.8 : least) && fit(tall) > fit(wide) ? tall : wide;
    const whole = fit(places);
    const hasCaptions = places.captions?.length || places.frames?.length; // whose letters are smaller
    const shown = scale(isNarrow && high === Infinity ? whole : 1, hasCaptions ? 13 : 15);
    if (!isNarrow) return {places, larger: whole < least ? 1 : null};
    return {places, larger: shown > whole && high === Infinity ? shown : null};
  }

  return {scale, choose};
}
