"use strict";
// The part of a picture that a frame shows, as a viewBox; nothing here touches the page. It is the whole picture, unless
// its scale would be below `least`: then a part around some boxes, at the scale `good`.
function viewOf(picture, frame, boxes, {least, good}) {
  const {width, height} = picture;
  const isLarge = Math.min(frame.width / width, frame.height / height) >= least;
  if (isLarge || !boxes.length || frame.width === 0 || frame.height === 0) return [0, 0, width, height];
  const along = (start, size) => {
    const shown = frame[size] / good;
    const middle =
      (Math.min(...boxes.map(box => box[start])) + Math.max(...boxes.map(box => box[start] + box[size]))) / 2;
    const spare = picture[size] - shown;
    return [spare < 0 ? spare / 2 : Math.min(Math.max(middle - shown / 2, 0), spare), shown];
  };
  const [[x, across], [y, down]] = [along("left", "width"), along("top", "height")];
  return [x, y, across, down];
}
