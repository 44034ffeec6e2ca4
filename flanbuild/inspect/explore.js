"use strict";
// Search over the sampled rows. Without this script the page shows all of them, and the search of the browser works.
const rows = Array.from(document.querySelectorAll("#rows article"));
const texts = rows.map((row) => row.textContent.toLowerCase());
const controls = document.querySelector("#search");
const [words, task, template] = ["#words", "#task", "#template"].map((id) => document.querySelector(id));
const found = document.querySelector("#found");
const more = document.querySelector("#more");
const STEP = 25;
let limit = STEP;

function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  rows.forEach((row, i) => {
    const matches = (!task.value || row.dataset.task === task.value)
      && (!template.value || row.dataset.template === template.value)
      && wanted.every((word) => texts[i].includes(word));
    count += matches;
    row.hidden = !matches || count > limit;
  });
  found.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} sampled rows match`
    + (count > limit ? `; the first ${limit} are shown.` : ".");
  more.hidden = count <= limit;
}

function search() {
  limit = STEP;
  show();
}

if (controls) {
  controls.hidden = false;
  controls.addEventListener("input", search);
  controls.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    const before = new Set(rows.filter((row) => !row.hidden));
    limit += STEP;
    show();
    rows.find((row) => !row.hidden && !before.has(row)).querySelector("summary").focus();
  });
  show();
}
