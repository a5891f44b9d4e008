// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section "Peers".

import {get, withQuery} from "./api.js";
import {byId, fillPages, fillTable} from "./dom.js";

const PAGE = 25;
const list = {cursors: [""], what: "peers"};

const columns = [
  {label: "Address", text: peer => peer.address},
  {label: "Role", text: peer => peer.role === "enb" ? "eNodeB" : "SGW"},
  {label: "Bearers", className: "number", text: peer => String(peer.bearers)},
];

export async function showPeers() {
  const {cursors} = list;
  const {body, next} = await get(withQuery("/peer", {
    limit: PAGE, cursor: cursors.at(-1)}));
  if (cursors !== list.cursors) {
    return;
  }
  fillTable(byId("peer-rows"), columns, body,
            peer => `${peer.role} ${peer.address}`);
  fillPages(byId("peer-pages"), list, next, showPeers);
}
