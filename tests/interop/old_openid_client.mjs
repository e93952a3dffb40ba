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

// --- code by a form; code and ID token, in the fragment and by a form, each ID token good for that very code ---

{
  const plain = await register({});
  granted.form = await signIn(plain, { response_mode: "form_post" });
  const hybrid = await register(
    { grant_types: ["authorization_code", "implicit"], response_types: ["code id_token"] },
    undefined,
    client.useCodeIdTokenResponseType,
    client.enableDetachedSignatureResponseChecks,
  );
  await refuses("an ID token without the hash of the state", () => signIn(hybrid, {}), "OAUTH_INVALID_RESPONSE").catch(() => {});
}

finish(granted);
