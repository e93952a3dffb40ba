// A partner's page asks whether the session it was told of goes on (OpenID Connect Session Management 1.0, section 3.2).
"use strict";
{
  const cookie = document.currentScript.dataset.cookie + "=";

  const stateOfBrowser = () =>
    document.cookie.split("; ").find((one) => one.startsWith(cookie))?.slice(cookie.length) ?? "";

  const hexOf = (digest) =>
    Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const answer = async (asked, origin) => {
    const parts = typeof asked === "string" ? asked.split(" ") : [];
    const salt = parts.length === 2 ? parts[1].split(".")[1] : "";
    if (!salt) return "error";
    const state = stateOfBrowser();
    // Where the browser keeps our cookie from a frame, nobody knows; "changed" would sign people out in vain.
    if (!state && !(await document.hasStorageAccess())) return "error";
    const said = new TextEncoder().encode(`${parts[0]} ${origin} ${state} ${salt}`);
    const expected = `${hexOf(await crypto.subtle.digest("SHA-256", said))}.${salt}`;
    return state && parts[1] === expected ? "unchanged" : "changed";
  };

  addEventListener("message", async (event) => {
    if (!event.source || !event.origin || event.origin === "null") return;
    const told = await answer(event.data, event.origin).catch(() => "error");
    event.source.postMessage(told, event.origin);
  });
}
