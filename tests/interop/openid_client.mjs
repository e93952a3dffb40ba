// openid-client, as a Node.js site would use it: everything that a partner does, and what must be refused.

import assert from "node:assert/strict";
import * as client from "openid-client";
import { changed, finish, open, refuses, setUp } from "./conversation.mjs";

const setup = await setUp();
const scope = "openid profile email";

function authentication() {
  const { method, client_secret: secret } = setup;
  return method === "client_secret_post" ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
}

function configure(algorithm) {
  return client.discovery(
    new URL(setup.issuer),
    setup.client_id,
    { id_token_signed_response_alg: algorithm },
    authentication(),
    // Without TLS on one machine; and the signature of ID tokens is checked even so.
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
  );
}

const config = await configure(setup.algorithm);

/** A sign-in up to the address with the code, and what the client expects of it. */
async function begin(offline = " offline_access") {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedNonce: client.randomNonce(),
    expectedState: client.randomState(),
    idTokenExpected: true,
  };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: setup.redirect_uri,
    scope: scope + offline,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: "S256",
  });
  return { answer: await open(url), checks };
}

async function signIn(offline) {
  const { answer, checks } = await begin(offline);
  return client.authorizationCodeGrant(config, answer, checks);
}

async function isActive(token) {
  return (await client.tokenIntrospection(config, token)).active;
}

// --- a sign-in; what does not fit is refused before the code is sent, so the code still works ---

const { answer, checks } = await begin();
const redeem = (url, differently = {}) => client.authorizationCodeGrant(config, url, { ...checks, ...differently });
await refuses("another state", () => redeem(answer, { expectedState: "other" }), "OAUTH_INVALID_RESPONSE");
await refuses("another issuer", () => redeem(changed(answer, { iss: "http://localhost:1" })), "OAUTH_INVALID_RESPONSE");
await refuses("no issuer", () => redeem(changed(answer, { iss: null })), "OAUTH_INVALID_RESPONSE");
const tokens = await redeem(answer);
const claims = tokens.claims();
assert.equal(claims.nonce, checks.expectedNonce);
assert.equal(tokens.expires_in > 0, true);

const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
await refuses("another person's data", () => client.fetchUserInfo(config, tokens.access_token, "other"), "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED");

const introspection = await client.tokenIntrospection(config, tokens.access_token);
assert.equal(introspection.active, true);
assert.equal(introspection.sub, claims.sub);
assert.equal(introspection.client_id, setup.client_id);

const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.notEqual(renewed.refresh_token, tokens.refresh_token);
assert.notEqual(renewed.access_token, tokens.access_token);
assert.equal(renewed.claims().sub, claims.sub);
assert.equal(renewed.claims().auth_time, claims.auth_time);

await client.tokenRevocation(config, renewed.refresh_token);
assert.equal(await isActive(renewed.refresh_token), false);
assert.equal(await isActive(renewed.access_token), false);
await refuses("a revoked refresh token", () => client.refreshTokenGrant(config, renewed.refresh_token), "invalid_grant");

// --- a refresh token used twice ends its family (RFC 9700 section 4.14.2) ---

const first = await signIn();
const second = await client.refreshTokenGrant(config, first.refresh_token);
await refuses("a refresh token used before", () => client.refreshTokenGrant(config, first.refresh_token), "invalid_grant");
assert.equal(await isActive(second.refresh_token), false);
assert.equal(await isActive(second.access_token), false);

// --- ID tokens that do not fit ---

const replayed = await begin();
await refuses("another nonce", () => client.authorizationCodeGrant(config, replayed.answer, { ...replayed.checks, expectedNonce: "other" }), "OAUTH_JWT_CLAIM_COMPARISON_FAILED");
await refuses("a code used before", () => client.authorizationCodeGrant(config, replayed.answer, replayed.checks), "invalid_grant");
const mistaken = await configure(setup.algorithm === "ES256" ? "RS256" : "ES256");
const signed = await begin();
await refuses("another signature algorithm", () => client.authorizationCodeGrant(mistaken, signed.answer, signed.checks), "OAUTH_INVALID_RESPONSE");

// --- without a resident ---

const own = await client.clientCredentialsGrant(config, { scope: "reports:write" });
const described = await client.tokenIntrospection(config, own.access_token);
assert.equal(described.active, true);
assert.equal(described.scope, "reports:write");
await client.tokenRevocation(config, own.access_token);
assert.equal(await isActive(own.access_token), false);

// --- signing out: the tokens of the session end with it, but for those of offline_access ---

const lasting = await signIn();
const last = await signIn("");
assert.equal(last.refresh_token, undefined);
assert.equal(await isActive(last.access_token), true);
const farewell = await open(
  client.buildEndSessionUrl(config, {
    id_token_hint: last.id_token,
    post_logout_redirect_uri: setup.post_logout_redirect_uri,
    state: "farewell",
  }),
);
assert.equal(farewell.href, `${setup.post_logout_redirect_uri}?state=farewell`);
assert.equal(await isActive(last.access_token), false);
assert.equal(await isActive(lasting.refresh_token), true);

finish({ claims, userinfo });
