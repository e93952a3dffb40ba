// Checks a receipt in the browser, with the town's published keys; nothing of it is sent anywhere.
// The same questions as `denizen receipt verify`, asked of the same bytes; what it shows is what the log committed to.
"use strict";
(() => {
  const page = document.getElementById("receipt-check");
  if (!page) return;
  if (!globalThis.crypto?.subtle) {
    page.querySelector("[data-without-cryptography]").hidden = false; // a page that came over an open line
    return;
  }
  const TABLES = ["consent_record", "consent_notice", "consent_purpose"];
  const KINDS = { consent_notice: "notice_published", consent_purpose: "purpose_declared" };
  const TIMES = { consent_record: "at", consent_notice: "published_at", consent_purpose: "created_at" };
  const NOT_HASHED = new Set(["body_hash", "material", "published_at"]);
  const TYPES = ["consent-receipt+jwt", "consent-receipt-paper+jwt"];
  const HOUR = 3600;
  const LEEWAY = 300; // seconds
  const LONGEST = 1 << 20;
  const utf8 = new TextEncoder();

  class NotReadable extends Error {}
  const check = (name, state, where = []) => ({ name, state, where });
  const need = (holds, problem) => {
    if (!holds) throw new NotReadable(problem);
  };

  // --- bytes ---
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
  const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

  function unbase64(text) {
    try {
      const raw = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
      return btoa(String.fromCharCode(...raw)) === text ? raw : null;
    } catch {
      return null;
    }
  }

  // Only as encoding would write it, so that one receipt has one spelling (RFC 7515 §2).
  function unbase64url(text) {
    need(/^[A-Za-z0-9_-]+$/.test(text), "jws");
    const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4);
    const raw = text.length > 100_000 ? longUnbase64(padded) : unbase64(padded);
    need(raw !== null, "jws");
    return raw;
  }

  function longUnbase64(padded) {
    const parts = padded.match(/.{1,40000}/g).map(unbase64);
    return parts.includes(null) ? null : join(...parts);
  }

  async function hmac(key, bytes) {
    const own = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", own, bytes));
  }

  // --- JSON ---
  function parse(text, problem) {
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      throw new NotReadable(problem);
    }
    need(found !== null && typeof found === "object" && !Array.isArray(found), problem);
    need(!namesTwice(text), "twice");
    return found;
  }

  // JSON.parse takes the last of two members of one name; others take the first. We take neither.
  function namesTwice(text) {
    const open = [];
    const tokens = text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g);
    for (const [token, colon] of tokens) {
      if (token === "{" || token === "[") open.push(new Set());
      else if (token === "}" || token === "]") open.pop();
      else if (colon) {
        const name = JSON.parse(token.slice(0, -colon.length));
        if (open.at(-1).has(name)) return true;
        open.at(-1).add(name);
      }
    }
    return false;
  }

  function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    const members = Object.keys(value).sort();
    return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }

  function differences(said, expected, path = "") {
    if (said && expected && typeof said === "object" && typeof expected === "object") {
      const names = new Set([...Object.keys(said), ...Object.keys(expected)]);
      return [...names].flatMap((name) => differences(said[name], expected[name], path ? `${path}/${name}` : name));
    }
    return said === expected ? [] : [path || "receipt"];
  }

  // --- the signed text ---
  function textOf(content) {
    need(content.length <= LONGEST, "long");
    const text = content.trim();
    need(text, "nothing");
    if (text.startsWith("{")) {
      const found = parse(text, "receipt");
      need(typeof found.jws === "string" && found.receipt && Object.keys(found).length === 2, "receipt");
      return [found.jws, found.receipt];
    }
    return [text.includes("://") ? text.slice(text.lastIndexOf("#") + 1) : text, null];
  }

  function read(jws) {
    const parts = jws.split(".");
    need(parts.length === 3, "jws");
    const [header, payload] = parts.slice(0, 2).map((part) => parse(decoded(unbase64url(part)), "jws"));
    need(header.alg === "ES256", "alg");
    need(TYPES.includes(header.typ), "typ");
    need(Object.keys(header).length === 3 && typeof header.kid === "string", "header");
    return { ...header, payload, signed: utf8.encode(`${parts[0]}.${parts[1]}`), signature: unbase64url(parts[2]) };
  }

  function decoded(bytes) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new NotReadable("jws");
    }
  }

  function readKeys(text) {
    if (!text.trim()) return { receipts: [], log: [], issuer: "" };
    const found = parse(text, "keys");
    need(Array.isArray(found.keys), "keys");
    const receipts = found.keys.filter((one) => one?.kty === "EC" && one.crv === "P-256" && one.alg === "ES256");
    return { receipts, log: found.log_vkeys ?? [], issuer: found.issuer ?? "" };
  }

  async function signature(unverified, keys) {
    if (!keys.receipts.length) return check("signature", "unknown");
    if (keys.issuer && keys.issuer !== unverified.payload.iss) return check("issuer", "fails", ["iss"]);
    const jwk = keys.receipts.find((one) => one.kid === unverified.kid);
    if (!jwk) return check("kid", "fails", ["kid"]);
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const { kty, crv, x, y } = jwk;
    const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, false, ["verify"]);
    const fits = await crypto.subtle.verify(algorithm, key, unverified.signature, unverified.signed);
    if (!fits) return check("signature", "fails");
    const at = unverified.payload.iat;
    const inTime = Number.isInteger(at) && !(at < jwk.iat - LEEWAY) && !(at > jwk.exp + LEEWAY);
    return inTime ? check("signature", "holds") : check("time", "fails", ["iat"]);
  }

  // --- the log ---
  async function leafOf(entry) {
    const said = canonical({ record: entry.record, table: entry.table, uid: entry.uid });
    const commitment = hex(await hmac(unhex(entry.opening), utf8.encode(said)));
    return utf8.encode(`{"at_hour":${entry.hour},"commitment":"${commitment}","kind":"${entry.kind}","v":1}`);
  }

  function wrongParts(entry) {
    const at = entry.record[TIMES[entry.table]];
    const kind = KINDS[entry.table] ?? `consent_${entry.record.event}`;
    const wrong = [];
    if (entry.kind !== kind) wrong.push("kind");
    if (!Number.isInteger(at) || entry.hour !== at - (at % HOUR)) wrong.push("hour");
    if (!/^[0-9a-f]{64}$/.test(entry.opening)) wrong.push("opening");
    if (!/^[0-9a-f]{32}$/.test(entry.uid)) wrong.push("uid");
    return wrong;
  }

  async function inLog(entry, issuer, keys) {
    const name = entry.table;
    const wrong = wrongParts(entry);
    if (wrong.length) return check(name, "fails", wrong);
    const leaf = await leafOf(entry);
    if (!("proof" in entry)) return { ...check(name, "unknown"), leaf: hex(await sha256(join([0], leaf))) };
    const origin = `${issuer.split("://")[1]}/log`;
    const vkeys = keys.log.filter((vkey) => vkey.startsWith(`${origin}+`));
    if (!vkeys.length) return check(name, keys.log.length ? "fails" : "unknown", keys.log.length ? ["proof"] : []);
    const state = await proven(entry.proof, leaf, origin, vkeys);
    return check(name, state, state === "fails" ? ["proof"] : []);
  }

  async function proven(text, leaf, origin, vkeys) {
    const cut = text.indexOf("\n\n");
    const lines = text.slice(0, cut).split("\n");
    const note = text.slice(cut + 2);
    const index = /^index (0|[1-9][0-9]{0,15})$/.exec(lines[1] ?? "");
    const path = lines.slice(2).map(unbase64);
    if (cut < 0 || lines[0] !== "c2sp.org/tlog-proof@v1" || !index) return "fails";
    if (path.some((one) => one?.length !== 32) || path.length > 63) return "fails";
    const [said, size, root] = note.split("\n");
    if (said !== origin || !/^(0|[1-9][0-9]{0,15})$/.test(size ?? "")) return "fails";
    const reached = await rootFrom(leaf, Number(index[1]), Number(size), path);
    const expected = unbase64(root ?? "");
    if (!reached || !expected || !same(reached, expected)) return "fails";
    return signedNote(note, origin, vkeys);
  }

  // RFC 9162 §2.1.3.2; sizes beyond 2^31, so no bit operations.
  async function rootFrom(leaf, index, size, path) {
    if (index >= size) return null;
    const half = (number) => Math.floor(number / 2);
    let [position, last, node] = [index, size - 1, await sha256(join([0], leaf))];
    for (const sibling of path) {
      if (last === 0) return null;
      if (position % 2 || position === last) {
        node = await sha256(join([1], sibling, node));
        while (position % 2 === 0 && position) [position, last] = [half(position), half(last)];
      } else {
        node = await sha256(join([1], node, sibling));
      }
      [position, last] = [half(position), half(last)];
    }
    return last === 0 ? node : null;
  }

  // C2SP signed-note: one of the log's keys must have signed the text, and none of its signatures may be wrong.
  async function signedNote(note, origin, vkeys) {
    const cut = note.lastIndexOf("\n\n");
    const text = utf8.encode(note.slice(0, cut + 1));
    let state = "fails";
    for (const vkey of vkeys) {
      const [id, material] = [vkey.split("+")[1], unbase64(vkey.slice(vkey.indexOf("+", origin.length + 1) + 1))];
      if (material?.length !== 33 || material[0] !== 1) continue;
      const named = join(utf8.encode(`${origin}\n`), material);
      if (hex((await sha256(named)).slice(0, 4)) !== id) continue;
      for (const line of note.slice(cut + 2).split("\n")) {
        const [dash, name, encoded] = line.split(" ");
        const blob = unbase64(encoded ?? "");
        if (dash !== "—" || name !== origin || !blob || hex(blob.slice(0, 4)) !== id) continue;
        state = await ed25519(material.slice(1), blob.slice(4), text);
        if (state !== "holds") return state;
      }
    }
    return state;
  }

  async function ed25519(raw, signed, text) {
    let key;
    try {
      key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
    } catch {
      return "unknown"; // an older browser
    }
    return (await crypto.subtle.verify({ name: "Ed25519" }, key, signed, text)) ? "holds" : "fails";
  }

  // --- the whole receipt ---
  async function contents({ typ, payload }, keys) {
    if (typ === TYPES[1]) return [await inLog(paperEntry(payload), payload.iss, keys)];
    const entries = payload.evidence;
    need(payload.schema === 1, "newer");
    need(entries.length === 3 && TABLES.every((table, at) => entries[at].table === table), "evidence");
    const [record, notice, purpose] = entries.map((one) => one.record);
    const pairs = [
      ["jti", payload.jti, entries[0].uid],
      ["notice_hash", record.notice_hash, notice.body_hash],
      ["purpose_id", record.purpose_id, purpose.id],
      ["purpose_id", notice.purpose_id, purpose.id],
      ["client_id", record.client_id, purpose.client_id],
    ];
    const apart = pairs.filter(([, one, other]) => one !== other).map(([name]) => name);
    const words = Object.fromEntries(Object.entries(notice).filter(([name]) => !NOT_HASHED.has(name)));
    const hashed = hex(await sha256(utf8.encode(canonical(words))));
    const found = [
      check("together", apart.length ? "fails" : "holds", apart),
      check("notice", hashed === record.notice_hash ? "holds" : "fails", hashed === record.notice_hash ? [] : ["notice"]),
    ];
    for (const entry of entries) found.push(await inLog(entry, payload.iss, keys));
    return found;
  }

  function paperEntry({ jti, opening, record }) {
    const hour = record.at - (record.at % HOUR);
    return { table: TABLES[0], uid: jti, kind: `consent_${record.event}`, hour, opening, record };
  }

  function factsOf({ typ, payload }) {
    const onPaper = typ === TYPES[1];
    const record = onPaper ? payload.record : payload.evidence[0].record;
    const notice = onPaper ? { title: payload.title } : payload.evidence[1].record;
    const service = onPaper ? payload.service : payload["dpv:hasRecordOfActivity"]["dpv:hasService"]["dct:title"];
    const [offered, chosen] = [JSON.parse(record.claims_offered), JSON.parse(record.claims_chosen)];
    return {
      town: onPaper ? payload.iss : `${payload["dct:publisher"]["dpv:hasName"]}, ${payload.iss}`,
      service,
      event: text("event", record.event),
      at: new Date(record.at * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" }),
      notice: notice.title,
      why: notice.why,
      chosen: chosen.map((name) => text("claim", name)).join(", "),
      left: offered.filter((name) => !chosen.includes(name)).map((name) => text("claim", name)).join(", "),
      receipt: payload.jti,
    };
  }

  async function verify(content, keysText) {
    const keys = readKeys(keysText);
    const [jws, beside] = textOf(content);
    const unverified = read(jws);
    const checks = [await signature(unverified, keys)];
    if (beside) {
      const changed = differences(beside, unverified.payload);
      checks.push(check("document", changed.length ? "fails" : "holds", changed));
    }
    let facts = {};
    try {
      checks.push(...(await contents(unverified, keys)));
      facts = factsOf(unverified);
    } catch (problem) {
      checks.push(check("contents", "fails", problem instanceof NotReadable ? [problem.message] : []));
    }
    const isSigned = checks[0].name === "signature" && checks[0].state === "holds";
    return { good: isSigned && checks.every((one) => one.state !== "fails"), checks, facts };
  }

  // --- the page ---
  const form = page.querySelector("form");
  const result = document.getElementById("receipt-result");

  function text(kind, name) {
    const found = page.querySelector(`[data-${kind}="${CSS.escape(name)}"]`);
    return found ? found.textContent : name;
  }

  function element(name, content, attributes = {}) {
    const made = document.createElement(name);
    made.append(...[content].flat());
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function show(verdict) {
    const outcome = element("p", text("text", verdict.good ? "good" : "bad"));
    const parts = [element("div", outcome, { class: "ds-alert", "data-color": verdict.good ? "success" : "danger" })];
    const rows = Object.entries(verdict.facts).filter(([, value]) => value);
    const terms = rows.map(([name, value]) =>
      element("div", [element("dt", text("fact", name)), element("dd", element("bdi", value))]),
    );
    if (terms.length) parts.push(element("dl", terms, { class: "dz-rows" }));
    const lines = verdict.checks.map((one) => {
      const said = [element("strong", text("text", one.state)), " ", text("check", `${one.name}-${one.state}`)];
      if (one.where.length) said.push(" ", text("text", "look-at"), " ", element("code", one.where.slice(0, 20).join(", ")));
      if (one.leaf) said.push(" ", text("text", "leaf"), " ", element("code", one.leaf));
      return element("li", said);
    });
    parts.push(element("ul", lines, { class: "dz-flow--tight", "data-checks": "" }));
    result.replaceChildren(...parts);
  }

  function refuse(problem) {
    const said = problem instanceof NotReadable ? text("problem", problem.message) : text("problem", "receipt");
    result.replaceChildren(element("div", element("p", said), { class: "ds-alert", "data-color": "danger" }));
  }

  let opened = Promise.resolve(); // files that are still being read

  async function run() {
    await opened;
    try {
      show(await verify(form.elements.receipt.value, form.elements.keys.value));
    } catch (problem) {
      refuse(problem);
    }
  }

  for (const name of ["receipt", "keys"]) {
    form.elements[`${name}-file`].addEventListener("change", ({ target }) => {
      const [file] = target.files;
      if (!file) return;
      const before = opened;
      opened = file.text().then(async (content) => {
        await before;
        form.elements[name].value = content;
      });
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });

  async function begin() {
    form.hidden = false;
    if (page.dataset.keys) {
      const answer = await fetch(page.dataset.keys).catch(() => null);
      if (answer?.ok) form.elements.keys.value = await answer.text();
    }
    if (location.hash.length > 1) {
      form.elements.receipt.value = location.hash.slice(1);
      history.replaceState(null, "", location.pathname + location.search); // it is personal: not into the history
      await run();
    }
  }
  begin();
})();
