// Answers on their way to a server: in their order, each until it is confirmed, and kept for another page.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { Unsent, takeLeftBehind } from "../../url_viz/frontend/shared/unsent.js";

/** As much of a browser's storage as is used of it: what is kept are its own properties. */
class Kept {
  getItem(name) {
    return this[name];
  }
  setItem(name, text) {
    this[name] = text;
  }
  removeItem(name) {
    delete this[name];
  }
}

let server = null;
afterEach(() => server?.close());

/** A server that answers each request as the next of `answers` says, and the bodies that it got. */
async function serving(...answers) {
  const got = [];
  server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    got.push({ url: request.url, answers: JSON.parse(Buffer.concat(parts).toString()).answers });
    const { status = 200, refused = [] } = answers.shift() ?? {};
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ refused, stepped: null }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { got, to: { address: `http://127.0.0.1:${server.address().port}/answers/a?review=x`, desk: "d", who: "" } };
}

/** An outbox, and a promise of what it has confirmed once it is empty. */
function sending(to, storage) {
  const confirmed = [];
  let unsent = null;
  const done = new Promise((resolve) => {
    unsent = new Unsent(to, (reply, sent) => {
      confirmed.push(...sent.map(({ sequence }) => sequence));
      if (!unsent.answers.length) resolve(confirmed);
    }, storage);
  });
  return { unsent, done };
}

const numbers = ({ answers }) => answers.map(({ sequence }) => sequence);

test("what is answered while others are on their way follows them, and nothing stays behind", async () => {
  const { got, to } = await serving();
  const storage = new Kept();
  const { unsent, done } = sending(to, storage);
  unsent.add({ sequence: 1 });
  unsent.add({ sequence: 2 });
  unsent.add({ sequence: 3 });
  assert.equal(Object.keys(storage).length, 1);
  assert.deepEqual(await done, [1, 2, 3]);
  assert.deepEqual(got.map(numbers), [[1], [2, 3]]);
  assert.equal(got[0].url, "/answers/a?review=x&desk=d");
  assert.equal(new Set(got.flatMap(({ answers }) => answers.map((one) => one.once))).size, 3);
  assert.deepEqual(Object.keys(storage), []);
});

test("what a server does not take now is sent again, as late, under the same name", async () => {
  const { got, to } = await serving({ status: 503 });
  const { unsent, done } = sending(to, new Kept());
  unsent.add({ sequence: 1 });
  unsent.add({ sequence: 2 });
  assert.deepEqual(await done, [1, 2]);
  assert.deepEqual(got.map(numbers), [[1], [1, 2]]);
  assert.equal(got[0].answers[0].once, got[1].answers[0].once);
  assert.deepEqual(got[1].answers.map(({ late }) => late ?? false), [true, false]);
});

test("what nothing is left to be about is not kept", async () => {
  const { to } = await serving({ status: 410 });
  const storage = new Kept();
  const { unsent, done } = sending(to, storage);
  unsent.add({ sequence: 1 });
  await done;
  assert.deepEqual(Object.keys(storage), []);
});

test("another page takes what was left behind, of its user alone, and nothing that is older than a week", () => {
  const storage = new Kept();
  const keep = (name, to, at = Date.now()) =>
    storage.setItem(`url-viz.answers.${name}`, JSON.stringify({ address: "/a", desk: "d", who: "", ...to, at, answers: [{ sequence: 1, once: name }] }));
  keep("ours", {});
  keep("other queue", { address: "/b" });
  keep("other user", { who: "anna" });
  keep("old", {}, Date.now() - 8 * 86_400_000);
  storage.setItem("else", "not ours");
  const named = (found) => found.flatMap(({ answers }) => answers.map(({ once, late }) => [once, late]));
  assert.deepEqual(named(takeLeftBehind({ address: "/a", who: "" }, storage)), [["ours", true]]);
  assert.deepEqual(named(takeLeftBehind({ who: "" }, storage)), [["other queue", true]]);
  assert.deepEqual(Object.keys(storage), ["url-viz.answers.other user", "else"]);
});
