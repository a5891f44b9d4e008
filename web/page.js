// SPDX-License-Identifier: GPL-3.0-or-later
//
// Starts the page, and asks for what is shown again and again while somebody
// can see it.

import {askAgain, forgetToken, isDeclined, token} from "./api.js";
import {byId} from "./dom.js";
import {startExplain} from "./explain.js";
import {showPeers} from "./peers.js";
import {showPlots, startPlots} from "./plots.js";
import {showServices, startServices} from "./services.js";
import {refreshSessions, startSessions} from "./sessions.js";
import {showLost, showStatus} from "./status.js";

// What is asked for, and every how many seconds.
const PARTS = [
  [showStatus, 2], [showServices, 5], [refreshSessions, 3], [showPeers, 10],
  [showPlots, 10]];

const failing = new Map();      // The problem that each of them has.

async function keep(show, seconds) {
  for (;;) {
    if (!document.hidden) {
      try {
        await show();
        failing.delete(show);
      } catch (problem) {
        failing.set(show, problem);
      }
      showLost([...failing.values()][0]);
      byId("sign-in").hidden = !isDeclined();
      byId("sign-out").hidden = !token();
    }
    await new Promise(resolve => setTimeout(resolve, seconds * 1000));
  }
}

byId("sign-in").addEventListener("click", () => {
  askAgain();
  showStatus().catch(() => {}); // The next round says why.
});
byId("sign-out").addEventListener("click", forgetToken);
startServices();
startSessions();
startExplain();
startPlots();
for (const [show, seconds] of PARTS) {
  keep(show, seconds);
}
