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

/** Have the resident open an address; what the client is told then: an address, or a form that is posted to it.
 *  An error of which only the resident is told is thrown. */
export async function open(url) {
  say({ open: url.href });
  const told = await hear();
  if (told.page !== undefined) {
    const [, error] = /<code dir="ltr">(.*?)<\/code>/.exec(told.page) ?? [];
    throw Object.assign(new Error(`a page at ${told.url}: ${told.page}`), { error });
  }
  if (told.form === undefined) return new URL(told.url);
  return new Request(told.url, { method: "POST", body: new URLSearchParams(told.form) });
}

/** Have the resident let a device in at the address that it shows. */
export async function letIn(address) {
  say({ let_in: address });
  await hear();
}

const refused = [];

/** What went wrong: an OAuth error in the challenge, in the body or as the client read it, or a code of the client's. */
async function errorOf(error) {
  const { response } = error;
  const said = response?.bodyUsed === false ? await response.json() : {};
  return error.error ?? said.error ?? error.code;
}

/** See that something is refused: by the client itself with an error code, or by the town with an OAuth error. */
export async function refuses(what, attempt, expected) {
  const error = await attempt().then(() => assert.fail(`${what} was not refused`), (reason) => reason);
  assert.equal(await errorOf(error), expected, `${what}: ${error.stack}`);
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
