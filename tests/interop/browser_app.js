// A site that is nothing but a page: oidc-client-ts signs in, reads, renews, watches the session and signs out.
// What it knows it shows as JSON in #told; what it was told by itself in #noticed.

/* global oidc */

const settings = await (await fetch("/settings.json")).json();
const show = (id, value) => (document.getElementById(id).textContent = JSON.stringify(value));
const errors = (error) => show("told", { error: `${error.name}: ${error.message}` });

const manager = new oidc.UserManager({
  authority: settings.issuer,
  client_id: settings.client_id,
  redirect_uri: `${location.origin}/callback`,
  post_logout_redirect_uri: `${location.origin}/`,
  scope: "openid email offline_access",
  loadUserInfo: !settings.dpop,
  monitorSession: true,
  checkSessionIntervalInSeconds: 0.1,
  automaticSilentRenew: false,
  userStore: new oidc.WebStorageStateStore({ store: sessionStorage }),
  dpop: settings.dpop ? { store: new oidc.IndexedDbDPoPStore(), bind_authorization_code: true } : undefined,
});

/** With a bound token the data has to be asked for by hand, and again once the town has said which nonce it wants. */
async function readWithProof(user) {
  const url = await manager.metadataService.getUserInfoEndpoint();
  let answer, nonce;
  for (let turn = 0; turn < 2; turn++) {
    const proof = await manager.dpopProof(url, user, "GET", nonce);
    answer = await fetch(url, { headers: { Authorization: `DPoP ${user.access_token}`, DPoP: proof } });
    nonce = answer.headers.get("DPoP-Nonce");
    if (answer.ok) break;
  }
  return answer.json();
}

async function showUser(user) {
  if (!user) return show("told", { signed_in: false });
  const data = settings.dpop ? { ...user.profile, ...(await readWithProof(user)) } : user.profile;
  show("told", { signed_in: true, data, token_type: user.token_type, access_token: user.access_token });
}

manager.events.addUserSignedOut(() => show("noticed", "signed out elsewhere"));
const press = (id, act) => document.getElementById(id).addEventListener("click", () => act().catch(errors));
press("enter", () => manager.signinRedirect());
press("renew", async () => showUser(await manager.signinSilent()));
press("leave", () => manager.signoutRedirect());

try {
  const isAnswer = location.pathname === "/callback";
  const user = isAnswer ? await manager.signinCallback() : await manager.getUser();
  if (window.top === window) {
    if (isAnswer) history.replaceState({}, "", "/");
    await showUser(user);
  }
} catch (error) {
  errors(error);
}
