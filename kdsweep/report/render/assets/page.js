// Opens chapters and draws their figures then, sorts and filters tables, explains words, copies commands.
"use strict";

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const pause = () => new Promise(done => setTimeout(done));

// Plotly lies in the page packed: it is unpacked for the first figure, and its text is what the page's policy allows.
let unpacked;
const plotly = () => unpacked ??= (async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), letter => letter.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
})();

function themed(layout) {
  const axis = { gridcolor: style("--grid"), linecolor: style("--line"), tickcolor: style("--line") };
  const base = layout.template.layout;
  base.font = { ...base.font, color: style("--ink") };
  base.hoverlabel = { ...base.hoverlabel, bgcolor: style("--raised"), bordercolor: style("--line") };
  base.hoverlabel.font = { ...base.hoverlabel.font, color: style("--ink") };
  base.xaxis = { ...base.xaxis, ...axis };
  base.yaxis = { ...base.yaxis, ...axis };
  return layout;
}

async function draw(inks) {
  if (!inks.length) return;
  await plotly();
  for (const ink of inks) {
    await pause();
    // Read anew each time: plotly writes into what it is given.
    const figure = JSON.parse(ink.nextElementSibling.textContent);
    // On a narrow screen a legend takes a line for each name: it gets room of its own, not the axes'.
    const names = figure.data.filter(trace => trace.name && trace.showlegend !== false).length;
    if (ink.clientWidth < 500 && figure.layout.showlegend !== false) figure.layout.height += 19 * Math.max(0, names - 2);
    ink.style.height = `${figure.layout.height}px`;
    await Plotly.react(ink, figure.data, themed(figure.layout), { displayModeBar: false, responsive: true });
  }
}

const inks = where => [...where.querySelectorAll(".ink")];

// A table that does not fit shows its rows as cards.
function fit() {
  for (const box of document.querySelectorAll(".box")) {
    if (!box.offsetParent) continue;
    box.classList.remove("cards");
    box.classList.toggle("cards", box.scrollWidth > box.clientWidth + 1);
  }
}

for (const chapter of document.querySelectorAll("details.chapter")) {
  chapter.addEventListener("toggle", () => {
    if (!chapter.open) return;
    fit();
    draw(inks(chapter).filter(ink => !ink.classList.contains("js-plotly-plot")));
  });
}

function visit() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const chapter = target && target.closest("details");
  if (!chapter || chapter.open) return;
  chapter.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", visit);
visit();

let resized;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(fit, 100); });
fit();

const redraw = () => draw(inks(document).filter(ink => ink.classList.contains("js-plotly-plot")));
for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", redraw);
// What no chapter holds is drawn at once, after the text has been.
requestAnimationFrame(() => setTimeout(() => draw(inks(document).filter(ink => !ink.closest("details.chapter")))));

function sort(head) {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => row.cells[column].dataset.sort;
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");   // empty cells stay last
    const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return down ? -order : order;
  };
  body.append(...[...body.rows].sort(compare));
}

function filter(input) {
  const holder = input.closest(".table"), body = holder.querySelector("tbody");
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of body.rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    shown += !row.hidden;
  }
  holder.querySelector("output").textContent = words.length ? `${shown} of ${body.rows.length} rows` : "";
}

const tip = document.getElementById("tip");

function explain(target) {
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  target.setAttribute("aria-describedby", "tip");
  const at = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
  tip.style.top = `${at.bottom + own.height + 12 > innerHeight ? at.top - own.height - 6 : at.bottom + 6}px`;
}

function hush() {
  tip.hidden = true;
  for (const target of document.querySelectorAll("[aria-describedby=tip]")) target.removeAttribute("aria-describedby");
}

for (const [event, then] of [["mouseover", explain], ["focusin", explain], ["mouseout", hush], ["focusout", hush]]) {
  document.addEventListener(event, ({ target }) => {
    const about = target.closest?.("[data-tip]");
    if (about) then(about);
  });
}
document.addEventListener("keydown", event => { if (event.key === "Escape") hush(); });
document.addEventListener("scroll", hush, true);
document.addEventListener("input", event => { if (event.target.matches(".filter input")) filter(event.target); });

async function copy(button) {
  const text = button.previousElementSibling.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {   // no clipboard for a page opened from a file in some browsers
    getSelection().selectAllChildren(button.previousElementSibling);
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.classList.contains("copy")) copy(button);
  else if (button.closest("thead")) sort(button.closest("th"));
});
