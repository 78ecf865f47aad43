/** For tests: empty directories that go away with the test file. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'

/** Returns what makes one of them after another. Called once a test file, at its top. */
export function placesFor(file: string): () => string {
  const base = fs.mkdtempSync(join(tmpdir(), `rfs-${file}-${process.pid}-`))
  test.after.always(() => fs.rmSync(base, { recursive: true, force: true }))
  let made = 0
  return () => {
    made += 1
    const path = join(base, String(made))
    fs.mkdirSync(path)
    return path
  }
}
