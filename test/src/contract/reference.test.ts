/** The contract with plugin authors changes only when somebody means it. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { format, resolveConfig } from 'prettier'
import { referenceOf } from './reference.js'

const repository = new URL('../../../', import.meta.url)
const path = fileURLToPath(new URL('docs/SDK.md', repository))

test('docs/SDK.md is what the sdk exports', async (t) => {
  const made = referenceOf({
    '@holdfast/sdk': fileURLToPath(new URL('sdk/dist/index.d.ts', repository)),
    '@holdfast/sdk/testing': fileURLToPath(new URL('sdk/dist/testing/index.d.ts', repository)),
  })
  const text = await format(made, { ...(await resolveConfig(path)), parser: 'markdown' })
  if (process.env['HOLDFAST_UPDATE'] === '1') await writeFile(path, text)
  t.is(
    await readFile(path, 'utf8'),
    text,
    'the sdk changed: is that wanted? Then HOLDFAST_UPDATE=1 npx ava test/dist/contract/reference.test.js',
  )
})
