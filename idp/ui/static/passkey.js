// Passkeys by the browser's own JSON methods (WebAuthn L3 §5.1); a browser without them never sees the buttons.
// Loaded in the head, so that the page is drawn once, with or without them.
"use strict";
(() => {
  const keys = window.PublicKeyCredential;
  if (!keys?.parseRequestOptionsFromJSON || !keys.parseCreationOptionsFromJSON) return;
  document.documentElement.classList.add("has-passkeys");

  const RENEW_AFTER = 240_000; // milliseconds; a challenge lives for 300 s
  let current = null; // the ceremony under way: a browser allows one at a time

  // Fetch options, let a device answer, and send the answer as an ordinary form.
  async function run(form, mediation) {
    current?.abort();
    const own = (current = new AbortController());
    own.mediation = mediation;
    const fields = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.dataset.options, { method: "POST", body: fields, signal: own.signal });
    if (!answer.ok || answer.redirected) throw new Error("no options");
    const options = await answer.json();
    const credential =
      form.dataset.passkey === "create"
        ? await navigator.credentials.create({
            publicKey: keys.parseCreationOptionsFromJSON(options),
            signal: own.signal,
          })
        : await navigator.credentials.get({
            publicKey: keys.parseRequestOptionsFromJSON(options),
            mediation,
            signal: own.signal,
          });
    form.elements.credential.value = JSON.stringify(credential);
    send(form);
  }

  // What is ticked in the form for the password holds for a passkey, too.
  function send(form) {
    if (document.getElementById("shared")?.checked) {
      const shared = document.createElement("input");
      Object.assign(shared, { type: "hidden", name: "shared", value: "1" });
      form.append(shared);
    }
    form.submit();
  }

  function showProblem(form, name) {
    const problems = [...form.querySelectorAll("[data-problem]")];
    const fitting = problems.find((one) => one.dataset.problem === name) ?? problems[0];
    for (const one of problems) one.hidden = one !== fitting;
  }

  // Passkeys among the suggestions for the user name, for as long as the page is open.
  async function suggest(form) {
    if (!("suggest" in form.dataset) || !(await keys.isConditionalMediationAvailable?.())) return;
    if (!current || current.mediation === "conditional") run(form, "conditional").catch(() => {});
  }

  async function press(form) {
    try {
      await run(form, form.dataset.passkey === "get" ? "required" : undefined);
    } catch (error) {
      if (error.name === "AbortError") return;
      current = null;
      if (error instanceof DOMException) {
        showProblem(form, error.name);
        suggest(form);
      } else {
        send(form); // without an answer: the server says what is wrong
      }
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("form[data-passkey]");
    if (!form) return;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      press(form);
    });
    const password = document.getElementById("login-submit");
    password?.setAttribute("data-variant", "secondary");
    password?.form.before(...document.querySelectorAll(".dz-passkey"));
    suggest(form);
    setInterval(() => suggest(form), RENEW_AFTER);
  });
})();
