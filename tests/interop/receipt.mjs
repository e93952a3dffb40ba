// Verifies a receipt with jose: says the payload, or why it is none. Order on stdin: {jws, jwks, typ}.
import { compactVerify, createLocalJWKSet } from "jose";

let order = "";
for await (const part of process.stdin) order += part;
const { jws, jwks, typ } = JSON.parse(order);
try {
  const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet(jwks), { algorithms: ["ES256"] });
  if (protectedHeader.typ !== typ) throw new Error(`typ is ${protectedHeader.typ}`);
  console.log(JSON.stringify({ payload: JSON.parse(new TextDecoder().decode(payload)) }));
} catch (error) {
  console.log(JSON.stringify({ problem: error.code ?? error.message }));
}
