// openid-client as older sites use it, each registered on the spot (OIDC Registration): answers by form, in the
// fragment, signed, encrypted; requests signed by value; a device; and being told that a session has ended.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import * as jose from "jose";
import * as client from "openid-client";
import { finish, letIn, open, refuses, setUp } from "./conversation.mjs";

const setup = await setUp();
const redirect_uri = "https://old.example/callback";
const farewell = "https://old.example/bye";

const register = (metadata, authentication, ...execute) =>
  client.dynamicClientRegistration(
    new URL(setup.issuer),
    {
      client_name: "An older site",
      redirect_uris: [redirect_uri],
      post_logout_redirect_uris: [farewell],
      scope: "openid profile email",
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "client_secret_post",
      ...metadata,
    },
    authentication,
    { initialAccessToken: setup.initial_access_token, execute: [client.enableNonRepudiationChecks, ...execute] },
  );

async function newRequest(more) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedNonce: client.randomNonce(),
    expectedState: client.randomState(),
    idTokenExpected: true,
  };
  const parameters = {
    redirect_uri,
    scope: "openid email",
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: "S256",
    ...more,
  };
  return { checks, parameters };
}

async function signIn(config, more) {
  const { checks, parameters } = await newRequest(more);
  const tokens = await client.authorizationCodeGrant(config, await open(client.buildAuthorizationUrl(config, parameters)), checks);
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  return { tokens, claims: tokens.claims(), userinfo };
}

const granted = {};

// --- the code by a form; code and ID token in the fragment and by a form, the ID token about that very code ---

{
  const plain = await register({});
  granted.form = await signIn(plain, { response_mode: "form_post" });
  const hybrid = await register(
    { grant_types: ["authorization_code", "implicit"], response_types: ["code id_token"] },
    undefined,
    client.useCodeIdTokenResponseType,
  );
  granted.hybrid = await signIn(hybrid, {});
  granted.hybrid_form = await signIn(hybrid, { response_mode: "form_post" });
  const { checks, parameters } = await newRequest({});
  const { checks: later, parameters: again } = await newRequest({});
  const [answer, other] = [await open(client.buildAuthorizationUrl(hybrid, parameters)), await open(client.buildAuthorizationUrl(hybrid, again))];
  const swapped = new URLSearchParams(answer.hash.slice(1));
  swapped.set("code", new URLSearchParams(other.hash.slice(1)).get("code"));
  await refuses("a code that is not the ID token's", () => client.authorizationCodeGrant(hybrid, new URL(`${redirect_uri}#${swapped}`), checks), "OAUTH_JWT_CLAIM_COMPARISON_FAILED");
  await client.authorizationCodeGrant(hybrid, other, later);
}

// --- the ID token alone ---

{
  const implicit = await register(
    { grant_types: ["implicit"], response_types: ["id_token"], token_endpoint_auth_method: "none", scope: "openid email" },
    client.None(),
    client.useIdTokenResponseType,
  );
  const nonce = client.randomNonce();
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(implicit, { redirect_uri, scope: "openid email", nonce, state });
  const answer = await open(url);
  await refuses("another nonce", () => client.implicitAuthentication(implicit, answer, "other", { expectedState: state }), "OAUTH_JWT_CLAIM_COMPARISON_FAILED");
  const claims = await client.implicitAuthentication(implicit, answer, nonce, { expectedState: state });
  granted.implicit = { claims, userinfo: claims };
}

// --- the answer signed, the ID token and userinfo encrypted; the request signed by value ---

{
  const pair = await jose.generateKeyPair("ECDH-ES", { crv: "P-256" });
  const own = await client.randomDPoPKeyPair("ES256");
  const use = async (key, more) => ({ ...(await jose.exportJWK(key)), ...more });
  const sealed = await register(
    {
      token_endpoint_auth_method: "private_key_jwt",
      authorization_signed_response_alg: "RS256",
      request_object_signing_alg: "ES256",
      id_token_encrypted_response_alg: "ECDH-ES",
      id_token_encrypted_response_enc: "A256GCM",
      userinfo_signed_response_alg: "RS256",
      userinfo_encrypted_response_alg: "ECDH-ES",
      userinfo_encrypted_response_enc: "A256GCM",
      jwks: {
        keys: [
          await use(pair.publicKey, { use: "enc", kid: "sealed", alg: "ECDH-ES" }),
          await use(own.publicKey, { use: "sig", kid: "own", alg: "ES256" }),
        ],
      },
    },
    client.PrivateKeyJwt({ key: own.privateKey, kid: "own" }),
    client.useJwtResponseMode,
  );
  client.enableDecryptingResponses(sealed, ["A256GCM"], { key: pair.privateKey, alg: "ECDH-ES", kid: "sealed" });
  const { checks, parameters } = await newRequest({});
  const url = await client.buildAuthorizationUrlWithJAR(sealed, parameters, { key: own.privateKey, kid: "own" });
  assert.deepEqual([...url.searchParams.keys()].sort(), ["client_id", "request"]);
  const tokens = await client.authorizationCodeGrant(sealed, await open(url), checks);
  assert.equal(jose.decodeProtectedHeader(tokens.id_token).enc, "A256GCM");
  const userinfo = await client.fetchUserInfo(sealed, tokens.access_token, tokens.claims().sub);
  granted.sealed = { claims: tokens.claims(), userinfo };
}

// --- a device that somebody lets in (RFC 8628) ---

{
  const device = await register({
    redirect_uris: [],
    post_logout_redirect_uris: [],
    response_types: [],
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code"],
  });
  const shown = await client.initiateDeviceAuthorization(device, { scope: "openid email" });
  await letIn(shown.verification_uri_complete);
  const tokens = await client.pollDeviceAuthorizationGrant(device, { ...shown, interval: 0 });
  const userinfo = await client.fetchUserInfo(device, tokens.access_token, tokens.claims().sub);
  granted.device = { claims: tokens.claims(), userinfo };
}

// --- told that the session has ended (Back-Channel Logout 1.0 section 2.6), after signing out in another place ---

{
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const told = new Promise((resolve) => {
    server.on("request", async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      response.writeHead(200, { "cache-control": "no-store" }).end();
      resolve({ method: request.method, form: new URLSearchParams(Buffer.concat(chunks).toString()) });
    });
  });
  const notified = await register({
    backchannel_logout_uri: `http://127.0.0.1:${server.address().port}/ended`,
    backchannel_logout_session_required: true,
  });
  const { tokens, claims } = await signIn(notified, {});
  const url = client.buildEndSessionUrl(notified, { id_token_hint: tokens.id_token, post_logout_redirect_uri: farewell, state: "x" });
  assert.equal((await open(url)).href, `${farewell}?state=x`);
  const { method, form } = await told;
  server.close();
  assert.equal(method, "POST");
  assert.deepEqual([...form.keys()], ["logout_token"]);
  const keys = jose.createRemoteJWKSet(new URL(notified.serverMetadata().jwks_uri));
  const { payload } = await jose.jwtVerify(form.get("logout_token"), keys, {
    issuer: setup.issuer,
    audience: notified.clientMetadata().client_id,
    typ: "logout+jwt",
    requiredClaims: ["iat", "exp", "jti", "events"],
    maxTokenAge: "2m",
  });
  assert.deepEqual(payload.events, { "http://schemas.openid.net/event/backchannel-logout": {} });
  assert.equal(payload.sid, claims.sid);
  assert.equal(payload.sub, claims.sub);
  assert.equal(payload.nonce, undefined);
  await refuses("data after signing out", () => client.fetchUserInfo(notified, tokens.access_token, claims.sub), "invalid_token");
}

finish(granted);
