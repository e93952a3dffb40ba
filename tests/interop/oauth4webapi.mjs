// oauth4webapi: the same job with every request and every check written out.

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { changed, finish, open, refuses, setUp } from "./conversation.mjs";

const setup = await setUp();
const insecure = { [oauth.allowInsecureRequests]: true }; // without TLS, on one machine
const issuer = new URL(setup.issuer);
const town = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
const client = { client_id: setup.client_id, id_token_signed_response_alg: setup.algorithm };
const authentication =
  setup.method === "client_secret_post"
    ? oauth.ClientSecretPost(setup.client_secret)
    : oauth.ClientSecretBasic(setup.client_secret);

async function begin(offline = " offline_access") {
  const verifier = oauth.generateRandomCodeVerifier();
  const expected = { verifier, nonce: oauth.generateRandomNonce(), state: oauth.generateRandomState() };
  const url = new URL(town.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: setup.redirect_uri,
    scope: `openid profile email${offline}`,
    state: expected.state,
    nonce: expected.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  return { answer: await open(url), expected };
}

async function redeem(answer, { verifier, nonce, state }, as = client) {
  const parameters = oauth.validateAuthResponse(town, as, answer, state);
  const response = await oauth.authorizationCodeGrantRequest(
    town, as, authentication, parameters, setup.redirect_uri, verifier, insecure,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(town, as, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(town, response, insecure);
  return tokens;
}

async function refresh(token) {
  const response = await oauth.refreshTokenGrantRequest(town, client, authentication, token, insecure);
  const tokens = await oauth.processRefreshTokenResponse(town, client, response);
  await oauth.validateApplicationLevelSignature(town, response, insecure);
  return tokens;
}

async function readUserinfo(token, subject) {
  const response = await oauth.userInfoRequest(town, client, token, insecure);
  return oauth.processUserInfoResponse(town, client, subject, response);
}

async function introspect(token) {
  const response = await oauth.introspectionRequest(town, client, authentication, token, insecure);
  return oauth.processIntrospectionResponse(town, client, response);
}

async function revoke(token) {
  await oauth.processRevocationResponse(await oauth.revocationRequest(town, client, authentication, token, insecure));
}

const { answer, expected } = await begin();
await refuses("another state", () => redeem(answer, { ...expected, state: "other" }), oauth.INVALID_RESPONSE);
await refuses("another issuer", () => redeem(changed(answer, { iss: "http://localhost:1" }), expected), oauth.INVALID_RESPONSE);
await refuses("no issuer", () => redeem(changed(answer, { iss: null }), expected), oauth.INVALID_RESPONSE);
const tokens = await redeem(answer, expected);
const claims = oauth.getValidatedIdTokenClaims(tokens);
assert.equal(claims.nonce, expected.nonce);

const userinfo = await readUserinfo(tokens.access_token, claims.sub);
await refuses("another person's data", () => readUserinfo(tokens.access_token, "other"), oauth.JSON_ATTRIBUTE_COMPARISON);

const introspection = await introspect(tokens.access_token);
assert.equal(introspection.active, true);
assert.equal(introspection.sub, claims.sub);

const renewed = await refresh(tokens.refresh_token);
assert.notEqual(renewed.refresh_token, tokens.refresh_token);
assert.equal(oauth.getValidatedIdTokenClaims(renewed).sub, claims.sub);
await revoke(renewed.refresh_token);
assert.deepEqual(await introspect(renewed.refresh_token), { active: false });
assert.deepEqual(await introspect(renewed.access_token), { active: false });
await refuses("a revoked refresh token", () => refresh(renewed.refresh_token), "invalid_grant");

const again = await begin();
const first = await redeem(again.answer, again.expected);
const second = await refresh(first.refresh_token);
await refuses("a refresh token used before", () => refresh(first.refresh_token), "invalid_grant");
assert.deepEqual(await introspect(second.access_token), { active: false });

const replayed = await begin();
await refuses("another nonce", () => redeem(replayed.answer, { ...replayed.expected, nonce: "other" }), oauth.JWT_CLAIM_COMPARISON);
await refuses("a code used before", () => redeem(replayed.answer, replayed.expected), "invalid_grant");
const mistaken = { ...client, id_token_signed_response_alg: setup.algorithm === "ES256" ? "RS256" : "ES256" };
const signed = await begin();
await refuses("another signature algorithm", () => redeem(signed.answer, signed.expected, mistaken), oauth.INVALID_RESPONSE);

const response = await oauth.clientCredentialsGrantRequest(town, client, authentication, { scope: "reports:write" }, insecure);
const own = await oauth.processClientCredentialsResponse(town, client, response);
assert.equal((await introspect(own.access_token)).scope, "reports:write");
await revoke(own.access_token);
assert.deepEqual(await introspect(own.access_token), { active: false });

// The tokens of a session end with it, but for those of offline_access.
const leaving = await begin("");
const last = await redeem(leaving.answer, leaving.expected);
assert.equal((await introspect(last.access_token)).active, true);
const url = new URL(town.end_session_endpoint);
url.search = new URLSearchParams({
  id_token_hint: last.id_token,
  post_logout_redirect_uri: setup.post_logout_redirect_uri,
  state: "farewell",
});
assert.equal((await open(url)).href, `${setup.post_logout_redirect_uri}?state=farewell`);
assert.deepEqual(await introspect(last.access_token), { active: false });

finish({ claims, userinfo });
