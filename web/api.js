// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests to the REST API.  If it needs a token, the reader is asked for it;
// it is kept in sessionStorage, so until the tab is closed.  Who gives none is
// left alone until askAgain().

import {byId, showProblem} from "./dom.js";

const KEY = "tof.token";

export class Problem extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

let asking = null;              // While the dialog is open.
let declined = false;           // The reader has given none.

function askForToken(why) {
  if (!asking) {
    const dialog = byId("token-dialog"), form = byId("token-form");
    showProblem(byId("token-problem"), why);
    form.elements.token.value = dialog.returnValue = "";
    dialog.showModal();
    asking = new Promise(resolve => {
      dialog.addEventListener("close", () => {
        asking = null;
        const given = form.elements.token.value.trim();
        form.elements.token.value = "";
        resolve(dialog.returnValue === "use" ? given : "");
      }, {once: true});
    });
  }
  return asking;
}

export function token() {
  return sessionStorage.getItem(KEY);
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
  location.reload();
}

export const isDeclined = () => declined;

export function askAgain() {
  declined = false;
}

async function send(method, path, body) {
  const headers = {};
  if (token()) {
    headers.Authorization = `Bearer ${token()}`;
  }
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  try {
    return await fetch(path, {
      method, headers, cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body)});
  } catch {
    throw new Problem("tofd does not answer.", 0);
  }
}

// What it says: {body, next}, 'next' being the cursor of the next page, if
// there is one.  Throws a Problem in the API's own words.
export async function call(method, path, body) {
  if (declined) {
    throw new Problem("A token is needed.", 401);
  }
  const used = token();
  const answer = await send(method, path, body);
  if (answer.status === 401) {
    if (used === token()) {
      const given = await askForToken(used ? "This token is not right." : "");
      if (given) {
        sessionStorage.setItem(KEY, given);
      } else {
        declined = true;
      }
    }
    return call(method, path, body);
  }
  const text = await answer.text();
  const type = answer.headers.get("Content-Type") || "";
  const json = type.includes("json") ? JSON.parse(text) : null;
  if (!answer.ok) {
    throw new Problem(json && json.detail ? json.detail
                      : `${answer.status} ${answer.statusText}`,
                      answer.status);
  }
  return {body: json, next: answer.headers.get("X-Next-Cursor")};
}

export const get = path => call("GET", path);

// PATH?NAME=VALUE&..., without those that are empty.
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value) {
      query.set(name, value);
    }
  }
  return query.toString() ? `${path}?${query}` : path;
}
