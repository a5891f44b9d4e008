// SPDX-License-Identifier: GPL-3.0-or-later
//
// Elements and tables.  What the API says is only ever put in as text.

export const byId = id => document.getElementById(id);

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) {
    made.textContent = text;
  }
  if (className) {
    made.className = className;
  }
  return made;
}

export function button(text, label, onClick) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

export function setText(where, text) {
  if (where.textContent !== text) {
    where.textContent = text;
  }
}

// A problem that is shown; none if 'text' is "".
export function showProblem(where, text) {
  where.hidden = !text;
  where.textContent = text;
}

function makeRow(columns) {
  const row = document.createElement("tr");
  for (const column of columns) {
    const cell = row.insertCell();
    cell.dataset.label = column.label;
    cell.className = column.className || "";
    if (column.buttons) {
      cell.append(...column.buttons(() => row.item));
    }
  }
  return row;
}

// The rows of 'body' become those of 'items'.  A row that stays keeps its
// elements, so that whoever has the focus in it keeps it.
export function fillTable(body, columns, items, keyOf) {
  const old = new Map([...body.rows].map(row => [row.key, row]));
  let next = body.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const row = old.get(key) || makeRow(columns);
    row.key = key;
    row.item = item;
    old.delete(key);
    columns.forEach((column, i) => {
      if (column.text) {
        setText(row.cells[i], column.text(item));
      }
    });
    if (row === next) {
      next = next.nextSibling;
    } else {
      body.insertBefore(row, next);
    }
  }
  for (const row of old.values()) {
    row.remove();
  }
}

// "Back" and "Next" of a list that is shown by pages.  'list.cursors' are
// where the pages so far begin; it is another array when another page is
// wanted, so that an answer that is late is known by it.
export function fillPages(where, list, next, show) {
  const go = cursors => () => {
    list.cursors = cursors;
    show().catch(() => {});     // page.js asks again, and says it then.
  };
  const wanted = [];
  if (list.cursors.length > 1) {
    wanted.push(["Back", go(list.cursors.slice(0, -1))]);
  }
  if (next) {
    wanted.push(["Next", go([...list.cursors, next])]);
  }
  const names = wanted.map(([name]) => name);
  const shown = [...where.children].map(child => child.textContent);
  if (names.join() !== shown.join()) {
    where.replaceChildren(...wanted.map(
      ([name]) => button(name, `${name}: ${list.what}`,
                         () => where.go[name]())));
  }
  where.go = Object.fromEntries(wanted);
}

export function formatBytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i ? n.toFixed(1) : n} ${units[i]}`;
}
