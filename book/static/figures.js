// Values of a figure on hover and focus; what has the same name lights up in all figures of the page.
(function () {
  "use strict";
  const told = document.createElement("div");
  told.className = "value-told";
  told.setAttribute("role", "status");
  told.hidden = true;

  function leave() {
    told.hidden = true;
    document.querySelectorAll(".values .lit, .values .here").forEach((each) => each.classList.remove("lit", "here"));
  }

  function tell(mark) {
    leave();
    const name = mark.parentNode.dataset.name, box = mark.getBoundingClientRect();
    mark.classList.add("here");
    document.querySelectorAll(".values [data-name]").forEach((each) => each.classList.toggle("lit", each.dataset.name === name));
    told.textContent = mark.getAttribute("aria-label");
    told.hidden = false;
    const left = Math.min(box.left, document.documentElement.clientWidth - told.offsetWidth - 8);
    told.style.left = `${Math.max(8, left) + window.scrollX}px`;
    told.style.top = `${box.top - told.offsetHeight - 6 + window.scrollY}px`;
  }

  function start(values) {
    const marks = [...values.querySelectorAll("circle")];
    let at = 0;
    marks.forEach((mark) => mark.querySelector("title").remove()); // the words are shown at once, not after a while
    if (!marks.length) return;
    values.setAttribute("tabindex", "0");
    values.addEventListener("pointerover", (event) => { if (marks.includes(event.target)) tell(marks[at = marks.indexOf(event.target)]); });
    values.addEventListener("pointerout", leave);
    values.addEventListener("focus", () => tell(marks[at]));
    values.addEventListener("blur", leave);
    values.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") leave();
      if (!step) return;
      event.preventDefault();
      tell(marks[at = (at + step + marks.length) % marks.length]);
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.body.append(told);
    document.querySelectorAll(".values").forEach(start);
    document.querySelectorAll('p > img[src$=".svg"]:not(.mpl)').forEach((img) => { // on a phone one reads it bit by bit
      img.parentNode.classList.add("drawn");
      Object.assign(img.parentNode, { tabIndex: 0, role: "group", ariaLabel: "a drawing; scroll to see all of it" });
    });
  });
})();
