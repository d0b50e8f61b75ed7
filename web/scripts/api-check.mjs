// Fails when the committed types are not what docs/openapi.json generates now; `npm run api` brings them up to date.
import { readFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';
import prettier from 'prettier';

const description = new URL('../../docs/openapi.json', import.meta.url);
const committed = new URL('../src/lib/api/schema.d.ts', import.meta.url);

const format = async (text) =>
  prettier.format(text.replace(/^\/\*\*[\s\S]*?\*\/\s*/, ''), {
    ...(await prettier.resolveConfig(committed)),
    parser: 'typescript',
  });
const fresh = await format(astToString(await openapiTS(description)));
const known = await format(readFileSync(committed, 'utf8'));

if (fresh !== known) {
  console.error('src/lib/api/schema.d.ts is out of date with docs/openapi.json: run `npm run api`.');
  process.exit(1);
}
console.log('The API types are up to date.');
