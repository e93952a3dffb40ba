// oidc-provider as a provider upstream of the town: HTTPS, one person, who types a name and says yes.
// One argument: a JSON file with { port, certificate, key, clients, features }. Each client has its own way to
// authenticate; features, which may be left out, are those of oidc-provider that are off otherwise.

import { readFileSync } from "node:fs";
import https from "node:https";
import { Provider } from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));

const provider = new Provider(`https://localhost:${settings.port}`, {
  clients: settings.clients,
  acrValues: ["urn:example:two"],
  claims: { openid: ["sub", "acr", "amr"], profile: ["given_name", "family_name"], email: ["email", "email_verified"] },
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false }, ...settings.features },
  enabledJWA: { clientAuthSigningAlgValues: ["ES256", "RS256"] },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, given_name: "Zoë", family_name: "Brahimi", email: "zoe@example.org", email_verified: true }),
  }),
});
for (const event of ["server_error", "authorization.error", "grant.error"]) {
  provider.on(event, (...details) => console.error(event, details.at(-1)?.message, details.at(-1)?.error_detail));
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

async function agreed(details) {
  const grant = details.grantId
    ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  return { consent: { grantId: await grant.save() } };
}

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(`<form method="post" action="${request.url}"><input name="name"><button>Go on</button></form>`);
    return;
  }
  const form = await bodyOf(request);
  let result = { error: "access_denied", error_description: "The person turned back" };
  if (!form.has("cancel")) {
    const login = { accountId: form.get("name"), acr: "urn:example:two", amr: ["pwd", "otp"] };
    result = details.prompt.name === "login" ? { login } : await agreed(details);
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const protocol = provider.callback();
const secure = { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) };
https
  .createServer(secure, (request, response) => {
    if (!request.url.startsWith("/interaction/")) return protocol(request, response);
    return interact(request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  })
  .listen(settings.port, "127.0.0.1", () => console.log("ready"));
