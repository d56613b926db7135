// Draws the figures in the page's colours, sorts tables, copies commands.
"use strict";

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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

function draw() {
  for (const ink of document.querySelectorAll(".ink")) {
    // Read anew each time: plotly writes into what it is given.
    const figure = JSON.parse(ink.nextElementSibling.textContent);
    Plotly.react(ink, figure.data, themed(figure.layout), { displayModeBar: false, responsive: true });
  }
}

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
if (matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").removeAttribute("open");
for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", draw);
draw();
