// A picture of several panels beside each other is too small to read on a phone: there it keeps its size and scrolls.
(function () {
  "use strict";
  const WIDE = 800; // natural width, pixels, of more than one panel

  function widen(picture) {
    if (picture.naturalWidth <= WIDE || picture.parentElement.classList.contains("wide-figure")) return;
    const frame = document.createElement("div");
    frame.className = "wide-figure";
    frame.tabIndex = 0; // scrolls by keyboard too
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", "Wide figure, scrolls sideways on a narrow screen");
    picture.replaceWith(frame);
    frame.appendChild(picture);
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("figure img.mpl, figure img.heat").forEach(function (picture) {
      if (picture.complete) widen(picture);
      else picture.addEventListener("load", function () { widen(picture); }, { once: true });
    });
  });
})();
