// SPDX-License-Identifier: GPL-3.0-or-later
//
// A headless Chromium that does as it is told: reads a call a line, as JSON
// ["NAME", ARGUMENT...], and answers each with a line {"value": ...} or
// {"error": TEXT}.  tests/net/tofnet/browser.py is the other end.
//
//     node driver.js CHROMIUM

"use strict";
const readline = require("node:readline");
const {chromium} = require("playwright-core");

const faults = [];              // What the page has done wrong.
let browser, page;

// A request that the API refuses is no fault of the page's.
function note(message) {
  if (message.type() === "error"
      && !message.text().startsWith("Failed to load resource")) {
    faults.push(message.text());
  }
}

const calls = {
  // A new tab, which knows nothing of the ones before.
  async open(url, options) {
    if (page) {
      await page.context().close();
    }
    const context = await browser.newContext(options);
    page = await context.newPage();
    page.setDefaultTimeout(options.timeout);
    page.on("console", note);
    page.on("pageerror", error => faults.push(String(error)));
    const answer = await page.goto(url);
    return answer.status();
  },
  click: selector => page.click(selector),
  fill: (selector, text) => page.fill(selector, text),
  select: (selector, value) => page.selectOption(selector, value),
  press: key => page.keyboard.press(key),
  type: text => page.keyboard.type(text),
  text: selector => page.innerText(selector),
  // Until an element that is seen has that text.
  see: (selector, text) => page.locator(selector).filter({hasText: text})
    .first().waitFor(),
  gone: (selector, text) => page.locator(selector).filter({hasText: text})
    .first().waitFor({state: "detached"}),
  count: selector => page.locator(selector).count(),
  run: script => page.evaluate(script),
  dress: scheme => page.emulateMedia({colorScheme: scheme}),
  picture: (path, selector) => selector
    ? page.locator(selector).screenshot({path}) : page.screenshot({path}),
  faults: () => faults.splice(0),
};

async function answer(line) {
  const [name, ...args] = JSON.parse(line);
  try {
    return {value: await calls[name](...args)};
  } catch (error) {
    return {error: String(error)};
  }
}

async function main() {
  browser = await chromium.launch({
    executablePath: process.argv[2],
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]});
  for await (const line of readline.createInterface({input: process.stdin})) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
  await browser.close();
}

main();
