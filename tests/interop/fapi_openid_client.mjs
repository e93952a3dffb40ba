// openid-client under FAPI 2.0: pushed requests, keys or certificates instead of secrets, tokens that are bound to
// them; then requests and answers that are signed (FAPI 2.0 Security Profile and Message Signing).

import assert from "node:assert/strict";
import * as client from "openid-client";
import { finish, open, refuses, setUp } from "./conversation.mjs";
import { fetchWith } from "./tls.mjs";

const setup = await setUp();
const curve = { name: "ECDSA", namedCurve: "P-256" };

/** A key of a client that the town printed, as openid-client wants it. */
async function keyOf({ jwks: { keys } }) {
  return { key: await crypto.subtle.importKey("jwk", keys[0], curve, false, ["sign"]), kid: keys[0].kid };
}

const configure = (told, metadata, authentication, options) =>
  client.discovery(new URL(setup.issuer), told.client_id, { id_token_signed_response_alg: "ES256", ...metadata }, authentication, {
    execute: [client.enableNonRepudiationChecks],
    ...options,
  });

async function begin(config, told, { DPoP, signingKey } = {}, { pushed = true } = {}) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedNonce: client.randomNonce(),
    expectedState: client.randomState(),
    idTokenExpected: true,
  };
  let parameters = new URLSearchParams({
    redirect_uri: told.redirect_uris[0],
    scope: "openid email offline_access",
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: "S256",
  });
  if (signingKey) parameters = (await client.buildAuthorizationUrlWithJAR(config, parameters, signingKey)).searchParams;
  if (!pushed) return { answer: await open(client.buildAuthorizationUrl(config, parameters)), checks };
  return { answer: await open(await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })), checks };
}

/** A whole sign-in with tokens that only this client can use; what userinfo says. */
async function signIn(config, told, how = {}) {
  const { answer, checks } = await begin(config, told, how);
  const tokens = await client.authorizationCodeGrant(config, answer, checks, undefined, { DPoP: how.DPoP });
  assert.equal(tokens.token_type, how.DPoP ? "dpop" : "bearer");
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP: how.DPoP });
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: how.DPoP });
  assert.equal(renewed.refresh_token ?? tokens.refresh_token, tokens.refresh_token, "FAPI 2.0 §5.3.2.1: no rotation");
  const described = await client.tokenIntrospection(config, renewed.access_token);
  assert.equal(described.active, true);
  return { tokens, renewed, claims, userinfo, described };
}

const newProver = async (config) => client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
const granted = {};

// --- by key, tokens bound by DPoP; every proof needs a nonce of the town's (RFC 9449 section 8) ---

{
  const told = setup.clients["fapi2-dpop"];
  const config = await configure(told, {}, client.PrivateKeyJwt(await keyOf(told)));
  const DPoP = await newProver(config);
  const { tokens, renewed, described, ...more } = await signIn(config, told, { DPoP });
  granted.dpop = more;
  assert.equal(described.token_type, "DPoP");
  assert.equal(described.cnf.jkt, await DPoP.calculateThumbprint());
  const read = (options) => client.fetchUserInfo(config, renewed.access_token, more.claims.sub, options);
  await refuses("a bound token without a proof", () => read({}), "invalid_token");
  const another = await newProver(config);
  await refuses("a bound token with another key", () => read({ DPoP: another }), "invalid_token");
  const bound = await begin(config, told, { DPoP });
  const redeem = (options) => client.authorizationCodeGrant(config, bound.answer, bound.checks, undefined, options);
  await refuses("a code with another key", () => redeem({ DPoP: another }), "invalid_grant");
  const unpushed = await begin(config, told, {}, { pushed: false });
  await refuses("a request that was not pushed", () => client.authorizationCodeGrant(config, unpushed.answer, unpushed.checks), "invalid_request");
  const { privateKey } = await client.randomDPoPKeyPair("ES256");
  const stranger = await configure(told, {}, client.PrivateKeyJwt(privateKey));
  await refuses("an assertion by another key", () => begin(stranger, told, {}), "invalid_client");
}

// --- requests and answers signed as well ---

{
  const told = setup.clients["fapi2-signed"];
  const key = await keyOf(told);
  const config = await configure(told, { authorization_signed_response_alg: "ES256" }, client.PrivateKeyJwt(key));
  await refuses("a request that is not signed", () => begin(config, told), "invalid_request");
  client.useJwtResponseMode(config);
  const { claims, userinfo } = await signIn(config, told, { DPoP: await newProver(config), signingKey: key });
  granted.signed = { claims, userinfo };
}

// --- by certificate: its name under an authority, or its key ---

for (const name of ["fapi2-mtls", "fapi2-mtls-2"]) {
  const told = setup.clients[name];
  const by = (one) => ({ [client.customFetch]: fetchWith(one.certificate, one.certificate_key) });
  const config = await configure(told, { use_mtls_endpoint_aliases: true }, client.TlsClientAuth(), by(told));
  const { renewed, claims, userinfo, described } = await signIn(config, told);
  granted[name] = { claims, userinfo };
  assert.ok(described.cnf["x5t#S256"]);
  const other = setup.clients[name === "fapi2-mtls" ? "fapi2-mtls-2" : "fapi2-mtls"];
  const stranger = await configure(told, { use_mtls_endpoint_aliases: true }, client.TlsClientAuth(), by(other));
  await refuses(`the certificate of another, ${name}`, () => begin(stranger, told), "invalid_client");
  await refuses(`a token bound to a certificate with another, ${name}`, () => client.fetchUserInfo(stranger, renewed.access_token, claims.sub), "invalid_token");
}

finish(granted);
