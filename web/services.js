// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section "Services": the list, and a form that adds one or changes one.

import {call, get, withQuery} from "./api.js";
import {byId, button, fillPages, fillTable, showProblem} from "./dom.js";

const PAGE = 20;
const list = {cursors: [""], what: "services"};
let changed = null;             // The name of the one that the form is about.

const form = () => byId("service-form");
const pathOf = name => `/service/${encodeURIComponent(name)}`;

// "IP", or "IP=WEIGHT, ..." of a service that has several Apps.
const appsOf = service => service.applicationIP
  || service.applications.map(app => `${app.ip}=${app.weight}`).join(", ");

// The member of a service that such a text says.
function readApps(text) {
  const words = text.split(",").map(word => word.trim());
  if (words.length === 1 && !text.includes("=")) {
    return {applicationIP: words[0]};
  }
  return {applications: words.map(word => {
    const [ip, weight] = word.split("=");
    return {ip, ...(weight === undefined ? {} : {weight: Number(weight)})};
  })};
}

const columns = [
  {label: "Name", text: service => service.name},
  {label: "Service IP", text: service => service.serviceIP},
  {label: "App IP", text: appsOf},
  {label: "Chain", text: service => (service.chain || []).join(", ")},
  {label: "Change", buttons: service => [
    button("Change", "Change this service", () => startChange(service())),
    button("Delete", "Delete this service", () => askDelete(service())),
  ]},
];

export async function showServices() {
  const {cursors} = list;
  const {body, next} = await get(withQuery("/service", {
    limit: PAGE, cursor: cursors.at(-1)}));
  if (cursors !== list.cursors) {
    return;
  }
  fillTable(byId("service-rows"), columns, body, service => service.name);
  fillPages(byId("service-pages"), list, next, showServices);
}

function setForm(service) {
  const fields = form().elements;
  changed = service ? service.name : null;
  fields.name.value = service ? service.name : "";
  fields.serviceIP.value = service ? service.serviceIP : "";
  fields.applicationIP.value = service ? appsOf(service) : "";
  fields.chain.value = service ? (service.chain || []).join(", ") : "";
  byId("service-form-title").textContent = service
    ? `Change ${service.name}` : "Add a service";
  byId("service-submit").textContent = service ? "Change" : "Add";
  byId("service-cancel").hidden = !service;
  showProblem(byId("service-problem"), "");
}

function startChange(service) {
  setForm(service);
  byId("service-done").textContent = "";
  form().elements.name.focus();
}

function readForm() {
  const fields = form().elements;
  const chain = fields.chain.value.split(",").map(name => name.trim())
    .filter(name => name);
  return {name: fields.name.value.trim(),
          serviceIP: fields.serviceIP.value.trim(),
          ...readApps(fields.applicationIP.value),
          ...(chain.length ? {chain} : {})};
}

// What a change comes to is said in the form.
async function attempt(change, done) {
  byId("service-done").textContent = "";
  showProblem(byId("service-problem"), "");
  byId("service-submit").disabled = true;
  try {
    await change();
    setForm(null);
    byId("service-done").textContent = done;
    await showServices();
  } catch (problem) {
    showProblem(byId("service-problem"), problem.message);
  } finally {
    byId("service-submit").disabled = false;
  }
}

function submit(event) {
  const service = readForm();
  event.preventDefault();
  attempt(() => changed ? call("PUT", pathOf(changed), service)
                        : call("POST", "/service", service),
          `${service.name} is in force.`);
}

function askDelete(service) {
  const dialog = byId("delete-dialog");
  byId("delete-what").textContent = `${service.name}: what UEs send to ` +
    `${service.serviceIP} will go to the SGW again.`;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") {
      attempt(() => call("DELETE", pathOf(service.name)),
              `${service.name} is deleted.`);
    }
  }, {once: true});
  dialog.showModal();
}

export function startServices() {
  form().addEventListener("submit", submit);
  byId("service-cancel").addEventListener("click", () => setForm(null));
}
