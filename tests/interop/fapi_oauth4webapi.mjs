// oauth4webapi under FAPI 2.0 with signed requests and answers: every step written out, nonces fetched by hand.

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { finish, open, refuses, setUp } from "./conversation.mjs";
import { fetchWith } from "./tls.mjs";

const setup = await setUp();
const issuer = new URL(setup.issuer);
const town = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
const granted = {};

/** Make a request again when the town first says which nonce it wants in the proof. */
async function withNonce(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  }
}

async function askFor(told, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const expected = { verifier, nonce: oauth.generateRandomNonce(), state: oauth.generateRandomState() };
  const parameters = new URLSearchParams({
    response_type: "code",
    client_id: told.client_id,
    redirect_uri: told.redirect_uris[0],
    scope: "openid profile email",
    state: expected.state,
    nonce: expected.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...more,
  });
  return { parameters, expected };
}

function addressOf(client, pushed) {
  const url = new URL(town.authorization_endpoint);
  url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
  return url;
}

// --- signed, by key, bound by DPoP ---

{
  const told = setup.clients["fapi2-signed"];
  const jwk = told.jwks.keys[0];
  const key = {
    key: await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]),
    kid: jwk.kid,
  };
  const client = {
    client_id: told.client_id,
    id_token_signed_response_alg: "ES256",
    authorization_signed_response_alg: "ES256",
  };
  const authentication = oauth.PrivateKeyJwt(key);
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));

  const push = async (request) => {
    const sent = async () =>
      oauth.processPushedAuthorizationResponse(
        town, client, await oauth.pushedAuthorizationRequest(town, client, authentication, request, { DPoP }),
      );
    return withNonce(sent);
  };
  const redeem = async (parameters, { verifier, nonce }, options = { DPoP }) => {
    const sent = async () =>
      oauth.processAuthorizationCodeResponse(
        town, client,
        await oauth.authorizationCodeGrantRequest(town, client, authentication, parameters, told.redirect_uris[0], verifier, options),
        { expectedNonce: nonce, requireIdToken: true },
      );
    return withNonce(sent);
  };

  const { parameters, expected } = await askFor(told, { response_mode: "jwt" });
  const forged = await oauth.issueRequestObject(town, client, parameters, { ...key, key: (await oauth.generateKeyPair("ES256")).privateKey });
  await refuses("a request signed by another key", () => push({ client_id: client.client_id, request: forged }), "invalid_request_object");
  await refuses("a request that is not signed", () => push(parameters), "invalid_request");
  const request = await oauth.issueRequestObject(town, client, parameters, key);
  const pushed = await push({ client_id: client.client_id, request });
  const answer = await open(addressOf(client, pushed));
  assert.deepEqual([...answer.searchParams.keys()], ["response"], "all of the answer is signed");
  await refuses("another state", () => oauth.validateJwtAuthResponse(town, client, answer, "other"), oauth.INVALID_RESPONSE);
  await refuses("an answer to another client", () => oauth.validateJwtAuthResponse(town, { ...client, client_id: "other" }, answer, expected.state), oauth.JWT_CLAIM_COMPARISON);
  const told_ = await oauth.validateJwtAuthResponse(town, client, answer, expected.state);
  const tokens = await redeem(told_, expected);
  assert.equal(tokens.token_type, "dpop");
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const read = async (options) => {
    const sent = async () =>
      oauth.processUserInfoResponse(town, client, claims.sub, await oauth.userInfoRequest(town, client, tokens.access_token, options));
    return withNonce(sent);
  };
  granted.signed = { claims, userinfo: await read({ DPoP }) };
  await refuses("a bound token without a proof", () => read({}), "invalid_token");
  await refuses("a code used before", () => redeem(told_, expected), "invalid_grant");
  await refuses("a token whose code came twice", () => read({ DPoP }), "invalid_token");
}

// --- by a certificate that signed itself, which binds its tokens ---

{
  const told = setup.clients["fapi2-mtls-2"];
  const client = { client_id: told.client_id, id_token_signed_response_alg: "ES256", use_mtls_endpoint_aliases: true };
  const shown = { [oauth.customFetch]: fetchWith(told.certificate, told.certificate_key) };
  const { parameters, expected } = await askFor(told);
  const pushed = await oauth.processPushedAuthorizationResponse(
    town, client, await oauth.pushedAuthorizationRequest(town, client, oauth.TlsClientAuth(), parameters, shown),
  );
  const answer = oauth.validateAuthResponse(town, client, await open(addressOf(client, pushed)), expected.state);
  await refuses("a request that was pushed, used before", async () => oauth.validateAuthResponse(town, client, await open(addressOf(client, pushed)), expected.state), "invalid_request_uri");
  const tokens = await oauth.processAuthorizationCodeResponse(
    town, client,
    await oauth.authorizationCodeGrantRequest(town, client, oauth.TlsClientAuth(), answer, told.redirect_uris[0], expected.verifier, shown),
    { expectedNonce: expected.nonce, requireIdToken: true },
  );
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const read = async (options) =>
    oauth.processUserInfoResponse(town, client, claims.sub, await oauth.userInfoRequest(town, client, tokens.access_token, options));
  granted.certificate = { claims, userinfo: await read(shown) };
  await refuses("a bound token without its certificate", () => read({}), "invalid_token");
}

// --- a device without a keyboard (RFC 8628), registered on the spot; it is told when it asks too often ---

{
  const metadata = {
    client_name: "A screen in the hall",
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code"],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: "none",
    scope: "openid",
  };
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(town, metadata, { initialAccessToken: setup.initial_access_token }),
  );
  const shown = await oauth.processDeviceAuthorizationResponse(
    town, client, await oauth.deviceAuthorizationRequest(town, client, oauth.None(), { scope: "openid" }),
  );
  const poll = async () =>
    oauth.processDeviceCodeResponse(
      town, client, await oauth.deviceCodeGrantRequest(town, client, oauth.None(), shown.device_code),
    );
  await refuses("a device that nobody has let in", poll, "authorization_pending");
  await refuses("a device that asks at once again", poll, "slow_down");
}

finish(granted);
