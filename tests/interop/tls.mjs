// Requests with a client certificate: `fetch` of Node.js has no option for one.

import https from "node:https";

/** A `fetch` that shows this certificate, as far as the clients need it. */
export function fetchWith(cert, key) {
  const agent = new https.Agent({ cert, key });
  return (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const sent = https.request(url, { method, headers: Object.fromEntries(new Headers(headers)), agent });
      sent.on("error", reject);
      sent.on("response", async (answer) => {
        const chunks = [];
        for await (const chunk of answer) chunks.push(chunk);
        resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode, headers: answer.headers }));
      });
      sent.end(body?.toString());
    });
}
