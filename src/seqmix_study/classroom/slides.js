// Keys: arrows, space, PageUp, PageDown, Home, End turn pages; n shows notes, o all slides, s a window for the speaker.
const slides = [...document.querySelectorAll('.slide')];
const body = document.body;
let now = Math.max(0, slides.findIndex(slide => '#' + slide.id === location.hash));
let speaker = null;

function fit() {
  const scale = Math.min(innerWidth / 1280, innerHeight / 720);
  body.style.setProperty('--scale', scale);
  body.style.setProperty('--left', `${(innerWidth - 1280 * scale) / 2}px`);
  body.style.setProperty('--top', `${(innerHeight - 720 * scale) / 2}px`);
}

function tell() {
  if (!speaker || speaker.closed) return;
  const page = speaker.document;
  const next = slides[now + 1]?.querySelector('h1, h2').textContent ?? 'the end';
  page.title = 'Notes';
  page.body.style.cssText = 'font: 26px/1.4 sans-serif; margin: 30px';
  page.body.innerHTML = `<p>${now + 1} / ${slides.length}, minute ${slides[now].dataset.minute}</p>`
    + `<h2>${slides[now].querySelector('h1, h2').innerHTML}</h2>`
    + slides[now].nextElementSibling.innerHTML + `<p style="color: #666">Next: ${next}</p>`;
}

function go(to) {
  now = Math.max(0, Math.min(slides.length - 1, to));
  slides.forEach((slide, index) => slide.classList.toggle('now', index === now));
  history.replaceState(null, '', '#' + slides[now].id);
  if (!body.classList.contains('one')) slides[now].scrollIntoView();
  slides[now].focus({preventScroll: true});
  tell();
}

const steps = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1};
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (steps[event.key]) go(now + steps[event.key]);
  else if (event.key === 'Home') go(0);
  else if (event.key === 'End') go(slides.length - 1);
  else if (event.key === 'n') body.classList.toggle('with-notes');
  else if (event.key === 'o') body.classList.toggle('one');
  else if (event.key === 's') {
    speaker = open('', 'notes', 'width=900,height=700');
    speaker?.addEventListener('keydown', pressed);
    tell();
  } else return;
  event.preventDefault();
}

addEventListener('keydown', pressed);
addEventListener('resize', fit);
body.classList.toggle('with-notes', location.search === '?notes');
body.classList.toggle('one', location.search !== '?notes');
fit();
go(now);
