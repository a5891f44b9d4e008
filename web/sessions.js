// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section "Sessions": a search, and what it finds, page by page.

import {get, withQuery} from "./api.js";
import {byId, button, fillPages, fillTable, formatBytes, setText, showProblem}
  from "./dom.js";
import {explain} from "./explain.js";

const PAGE = 25;
const list = {cursors: [""], what: "sessions"};
let wanted = {};                // What is searched for.
let rare = false;               // That took several requests.

const hex = teid => `0x${teid.toString(16).padStart(8, "0")}`;

// Uplink and downlink need not have the same ends.
function describeDown(up, down, proved) {
  const same = up.enb === down.enb && up.sgw === down.sgw;
  return `down ${hex(down.teid)}` +
    (same ? "" : ` from ${down.sgw} to ${down.enb}`) +
    (proved ? "" : ", not proved now");
}

function describeTunnels({uplink: up, downlink: down, proved}) {
  return `${up.enb} – ${up.sgw}: up ${hex(up.teid)}, ` +
    (down ? describeDown(up, down, proved) : "down not known");
}

const age = session => session.evidenceAge === null ? "never"
  : `${session.evidenceAge.toFixed(1)} s ago`;

const columns = [
  {label: "UE", text: session => session.ue},
  {label: "State", text: session => session.state},
  {label: "Last sign", className: "number", text: age},
  {label: "Tunnels", className: "lines",
   text: session => session.bearers.map(describeTunnels).join("\n")},
  {label: "To App", className: "number",
   text: ({counters}) => formatBytes(counters.bytesUp)},
  {label: "To UE", className: "number",
   text: ({counters}) => formatBytes(counters.bytesDown)},
  {label: "Why", buttons: session => [
    button("Explain", "Explain this UE", () => explain(session().ue))]},
];

// A page may end with fewer than it could have, and more to come: what is rare
// is found by and by.
async function find(cursors) {
  const found = [];
  let cursor = cursors.at(-1), requests = 0;
  do {
    const {body, next} = await get(withQuery("/session", {
      ...wanted, limit: PAGE - found.length, cursor}));
    found.push(...body);
    cursor = next;
    requests++;
  } while (cursor && found.length < PAGE && cursors === list.cursors);
  return {found, next: cursor, several: requests > 1};
}

function captionOf(found, next) {
  const page = list.cursors.length;
  return (found.length
    ? `${found.length} session${found.length === 1 ? "" : "s"}` +
      (next ? ", and more" : "") : "No session was found") +
    (page > 1 ? `; page ${page}` : "") +
    (rare ? `; as of ${new Date().toLocaleTimeString()}` : "");
}

function show(found, next, problem, caption) {
  showProblem(byId("session-problem"), problem);
  fillTable(byId("session-rows"), columns, found, session => session.id);
  fillPages(byId("session-pages"), list, next, showSessions);
  setText(byId("session-caption"), caption);
}

async function showSessions() {
  const {cursors} = list;
  try {
    const {found, next, several} = await find(cursors);
    if (cursors === list.cursors) {
      rare = several;
      show(found, next, "", captionOf(found, next));
    }
  } catch (problem) {
    if (problem.status !== 400) {
      throw problem;
    }
    show([], null, problem.message, "");
  }
}

// Who searches for what is rare has the list as it was then.
export async function refreshSessions() {
  if (!rare) {
    await showSessions();
  }
}

export function startSessions() {
  byId("session-form").addEventListener("submit", event => {
    event.preventDefault();
    wanted = Object.fromEntries([...new FormData(event.target)].map(
      ([name, value]) => [name, value.trim()]));
    list.cursors = [""];
    rare = false;
    showSessions().catch(problem => showProblem(byId("session-problem"),
                                                problem.message));
  });
}
