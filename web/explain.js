// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section "Explain": why a UE is diverted, or why not.

import {get, withQuery} from "./api.js";
import {byId, element, showProblem} from "./dom.js";

function describe(step, where) {
  where.append(element("b", step.verdict, step.verdict),
               ` ${step.step}${step.subject ? ` (${step.subject})` : ""}: ` +
               step.found);
  if (step.advice) {
    where.append(element("span", step.advice, "advice"));
  }
  return where;
}

// If nothing is wrong, what is open may be it, as with "tofctl explain".
function reasonOf({reason, steps}) {
  return reason || steps.find(step => step.verdict === "open");
}

function describeReason(explanation) {
  const step = reasonOf(explanation);
  return step
    ? describe(step, element("p", undefined, "reason"))
    : element("p", "Nothing keeps it from being diverted.", "reason ok");
}

function show(explanation) {
  const about = explanation.ue + (explanation.service
    ? ` and ${explanation.service}` : "");
  const steps = element("ol", undefined, "steps");
  steps.append(...explanation.steps.map(
    step => describe(step, element("li"))));
  byId("explanation").replaceChildren(element("h3", about),
                                       describeReason(explanation), steps);
}

async function ask() {
  const fields = byId("explain-form").elements;
  showProblem(byId("explain-problem"), "");
  try {
    const {body} = await get(withQuery("/explain", {
      ue: fields.ue.value.trim(), service: fields.service.value.trim()}));
    show(body);
    byId("explanation").focus({preventScroll: true});
    byId("explain").scrollIntoView();
  } catch (problem) {
    byId("explanation").replaceChildren();
    showProblem(byId("explain-problem"), problem.message);
  }
}

// From elsewhere on the page.
export function explain(ue) {
  byId("explain-form").elements.ue.value = ue;
  byId("explain").scrollIntoView();
  ask();
}

export function startExplain() {
  byId("explain-form").addEventListener("submit", event => {
    event.preventDefault();
    ask();
  });
}
