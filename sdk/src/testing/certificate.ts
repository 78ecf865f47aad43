/** A certificate that openssl makes for one test: its own authority, good for a day. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface TestCertificate {
  /** Files in PEM. The certificate is the authority that a client must know, too. */
  readonly keyFile: string
  readonly certificateFile: string
}

/** `altName`: whom it is for, `IP:127.0.0.1` or `DNS:shop.example`. Its files are gone when the test is over. */
export async function testCertificate(
  t: { teardown(end: () => Promise<void>): void },
  altName = 'IP:127.0.0.1',
): Promise<TestCertificate> {
  const directory = await mkdtemp(join(tmpdir(), 'hf-certificate-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const files = {
    keyFile: join(directory, 'key.pem'),
    certificateFile: join(directory, 'certificate.pem'),
  }
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', files.keyFile, '-out', files.certificateFile, '-days', '1'],
    ...['-subj', '/CN=test', '-addext', `subjectAltName=${altName}`],
  ])
  return files
}
