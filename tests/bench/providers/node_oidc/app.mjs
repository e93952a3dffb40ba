// node-oidc-provider set up as a town would run it, for `python -m tests.bench`.
// One argument: a JSON file with { port, workers, store, database, jwks, cookieKeys, clients, accounts }.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import argon2 from '@node-rs/argon2';
import { Provider } from 'oidc-provider';
import { stores } from './stores.mjs';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const DAY = 86400;

const configuration = (store) => ({
  adapter: store.Adapter,
  jwks: settings.jwks,
  cookies: { keys: settings.cookieKeys },
  clients: settings.clients,
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'api'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'birthdate'],
    email: ['email', 'email_verified'],
  },
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: { enabled: true },
  },
  rotateRefreshToken: true,
  pkce: { required: () => true },
  ttl: {
    AccessToken: 3600, AuthorizationCode: 60, ClientCredentials: 600, Grant: 14 * DAY, IdToken: 3600,
    Interaction: 3600, RefreshToken: 14 * DAY, Session: DAY,
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(_, sub) {
    const account = await store.account(sub);
    return account && { accountId: sub, claims: async () => ({ sub, ...account.claims }) };
  },
});

function answer(res, status, form) {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  res.end(`<!doctype html><html lang="en"><title>Sign in</title><body>${form}</body></html>`);
}

const loginPage = (action) => `<form method="post" action="${action}">
  <input name="username"><input type="password" name="password">
  <button id="login-submit">Sign in</button></form>`;

const consentPage = (action, params) => `<form method="post" action="${action}">
  <p>${params.client_id}: ${params.scope}</p>
  <button id="consent-allow" name="decision" value="allow">Allow</button></form>`;

async function bodyOf(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return new URLSearchParams(text);
}

async function login(provider, store, req, res) {
  const form = await bodyOf(req);
  const account = await store.account(form.get('username'));
  if (!account || !(await argon2.verify(account.hash, form.get('password')))) {
    return answer(res, 401, 'These do not match.');
  }
  const result = { login: { accountId: form.get('username') } };
  return provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

async function consent(provider, details, req, res) {
  const form = await bodyOf(req);
  if (form.get('decision') !== 'allow') return answer(res, 400, 'Not allowed.');
  const { session, params, prompt, grantId } = details;
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  const saved = await grant.save();
  const result = { consent: grantId ? {} : { grantId: saved } };
  return provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
}

async function interaction(provider, store, req, res) {
  const details = await provider.interactionDetails(req, res);
  const isLogin = details.prompt.name === 'login';
  if (req.method === 'GET') {
    return answer(res, 200, isLogin ? loginPage(req.url) : consentPage(req.url, details.params));
  }
  return isLogin ? login(provider, store, req, res) : consent(provider, details, req, res);
}

async function serve(store) {
  const provider = new Provider(`http://127.0.0.1:${settings.port}`, configuration(store));
  for (const event of ['server_error', 'authorization.error', 'grant.error']) {
    provider.on(event, (...details) => console.error(event, details.at(-1)?.message, details.at(-1)?.error_detail));
  }
  const protocol = provider.callback();
  const server = http.createServer((req, res) => {
    if (!req.url.startsWith('/interaction/')) return protocol(req, res);
    return interaction(provider, store, req, res).catch((error) => {
      console.error(error);
      answer(res, 500, 'Something went wrong.');
    });
  });
  server.keepAliveTimeout = 65000;
  server.listen(settings.port, '127.0.0.1');
}

// The first process makes the tables and, with several workers, only looks after them.
const store = await stores[settings.store]({ ...settings, isFirst: cluster.isPrimary });
if (settings.workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < settings.workers; i += 1) cluster.fork();
} else {
  await serve(store);
}
