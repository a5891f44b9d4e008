// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section "Status": each part, and facts.

import {get} from "./api.js";
import {byId, element, setText, showProblem} from "./dom.js";

function showHealth(health) {
  const badge = byId("health");
  setText(badge, health.reason ? `${health.status}: ${health.reason}`
                               : health.status);
  badge.className = `badge ${health.status}`;
}

function showPart(part) {
  const item = element("li");
  item.append(element("b", part.name, part.ready ? "ok" : "down"),
              `: ${part.ready ? "" : "not ready: "}${part.detail}`);
  return item;
}

function showFacts(status) {
  const count = Object.entries(status.bearers)
    .map(([state, n]) => `${n} ${state}`).join(", ");
  const facts = {...status.facts, sessions: String(status.sessions),
                 bearers: count};
  setText(byId("version"), facts.version || "");
  delete facts.version;
  byId("facts").replaceChildren(...Object.entries(facts).flatMap(
    ([name, text]) => [element("dt", name), element("dd", text)]));
}

export async function showStatus() {
  const {body: status} = await get("/status");
  showHealth(status.health);
  byId("parts").replaceChildren(...status.parts.map(showPart));
  showFacts(status);
}

// Something could not be asked for; undefined: all is well again.
export function showLost(problem) {
  const lost = byId("lost"), text = problem ? problem.message : "";
  if (lost.textContent !== text) {
    showProblem(lost, text);    // Once: it is read out.
  }
  if (problem && (problem.status === 0 || problem.status === 401)) {
    setText(byId("health"), problem.status ? "no token" : "no answer");
    byId("health").className = "badge down";
  }
}
