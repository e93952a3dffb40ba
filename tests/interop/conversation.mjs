// How a client talks with the test that runs it: a line of JSON each way. The test plays the resident.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function hear() {
  const { value, done } = await lines.next();
  if (done) throw new Error("the test has ended");
  return JSON.parse(value);
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** The issuer and the registration of this client. */
export const setUp = hear;

/** Have the resident open an address; the address that the town sends the browser back to. */
export async function open(url) {
  say({ open: url.href });
  return new URL((await hear()).url);
}

const refused = [];

/** See that something is refused: by the client itself with an error code, or by the town with an OAuth error. */
export async function refuses(what, attempt, expected) {
  await assert.rejects(attempt, (error) => {
    assert.equal(error.error ?? error.code, expected, `${what}: ${error.stack}`);
    return true;
  });
  refused.push(what);
}

/** All went well; the test learns what was granted and what was refused. */
export function finish(granted) {
  say({ granted, refused });
  process.exit(0);
}

/** The same address with some parameters changed; null takes one out. */
export function changed(url, parameters) {
  const copy = new URL(url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) copy.searchParams.delete(name);
    else copy.searchParams.set(name, value);
  }
  return copy;
}
