"use strict";
(() => {
  const form = document.getElementById("filter");
  const claims = [...document.querySelectorAll(".claims tr[data-verdict]")];
  const words = new Map();
  const boxes = [...form.querySelectorAll("[name=verdict]")];
  const field = (name) => form.querySelector("#" + name);

  const textOf = (row) => {
    if (!words.has(row)) words.set(row, row.textContent.toLowerCase());
    return words.get(row);
  };

  // filter: what is shown stands in the address too, so that it can be shared
  const filter = () => {
    const text = field("text").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const chapter = field("chapter").value, kind = field("kind").value;
    const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const row of claims) {
      const of = row.dataset;
      row.hidden = !(verdicts.has(of.verdict) && (!chapter || of.chapter === chapter) &&
        (!kind || of.kind.split("/").includes(kind)) && (!text.length || text.every((one) => textOf(row).includes(one))));
      shown += !row.hidden;
    }
    for (const body of document.querySelectorAll(".claims tbody")) {
      body.hidden = !body.querySelector("tr[data-verdict]:not([hidden])");
    }
    for (const part of document.querySelectorAll(".chapter")) part.hidden = !part.querySelector(".claims tbody:not([hidden])");
    field("shown").textContent = `${shown} of ${claims.length} claims shown`;
    const state = new URLSearchParams();
    if (text.length) state.set("text", text.join(" "));
    if (chapter) state.set("chapter", chapter);
    if (kind) state.set("kind", kind);
    if (verdicts.size < boxes.length) state.set("verdict", [...verdicts].join(","));
    return state.toString();
  };
  const remember = () => {
    const state = filter();
    history.replaceState(null, "", state ? "#?" + state : location.pathname + location.search);
  };
  const recall = () => {
    if (!location.hash.startsWith("#?")) return;
    const state = new URLSearchParams(location.hash.slice(2));
    field("text").value = state.get("text") || "";
    field("chapter").value = state.get("chapter") || "";
    field("kind").value = state.get("kind") || "";
    const wanted = state.has("verdict") ? state.get("verdict").split(",") : null;
    for (const box of boxes) box.checked = !wanted || wanted.includes(box.value);
    document.getElementById("claims").scrollIntoView();
  };
  let waiting = 0;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(remember, 80); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(remember));
  form.hidden = !claims.length;
  addEventListener("hashchange", () => { recall(); filter(); });
  recall();
  filter();

  // sort: up, down, and back to the order of the papers; numbers by value, all else by its text
  const keyOf = (cell) => {
    const text = (cell.dataset.sort ?? cell.textContent).trim();
    const number = /^[-+±]?[\d.,]+(e[-+]?\d+)?/.exec(text.replace("−", "-"));
    return number ? [0, parseFloat(number[0].replace(/,/g, "").replace("±", "")), text] : [text && text !== "–" ? 1 : 2, text.toLowerCase(), text];
  };
  const compare = (a, b) => a[0] - b[0] || (a[0] ? a[1].localeCompare(b[1]) : a[1] - b[1]);
  const sort = (table, head, column) => {
    const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort || "none"];
    for (const one of table.tHead.rows[0].cells) one.ariaSort = "none";
    head.ariaSort = next;
    table.original ??= [...table.tBodies].map((body) => [body, [...body.rows]]);
    if (next === "none") {
      for (const [body, rows] of table.original) body.append(...rows);
    } else {
      const rows = table.original.flatMap(([, all]) => all).filter((row) => !row.classList.contains("group"));
      const keyed = rows.map((row) => [keyOf(row.cells[column]), row]);
      keyed.sort((a, b) => (next === "ascending" ? 1 : -1) * compare(a[0], b[0]));
      for (const [, all] of table.original) for (const row of all) row.remove();
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    }
    if (table.matches(".claims")) filter();
  };
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.ariaSort = "none";
      button.addEventListener("click", () => sort(table, head, column));
    });
  }
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details[data-print]")) one.open = true;
  });
})();
