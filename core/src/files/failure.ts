/** Failures of the system that are expected sooner or later: full, read-only or broken disks, missing rights. */
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { codeOf } from './atomic.js'

const expected = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE']

/** Our own error as it is, an expected one of the system as `E_SYSTEM`; anything else is thrown again. */
export function expectedFailure(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown
  const code = codeOf(thrown)
  if (code === undefined || !expected.includes(code)) throw thrown
  return new HoldfastError('E_SYSTEM', messageOf(thrown), {
    hint: 'look at free space and rights of the directory that is named',
    cause: thrown,
  })
}
