/** Progress of a resynchronisation as the operator sees it. Pure. */
import type { Progress } from '@holdfast/sdk'
import type { ResyncProgress } from './resync-port.js'

export function progressOf(progress: ResyncProgress, elapsedMs: number): Progress {
  const { filesDone, filesTotal, bytesDone, bytesTotal } = progress
  const bytesPerSecond = elapsedMs > 0 ? Math.round((bytesDone * 1000) / elapsedMs) : 0
  const left = Math.max(0, bytesTotal - bytesDone)
  return {
    phase: phaseOf(progress.phase),
    filesDone,
    filesTotal,
    bytesDone,
    bytesTotal,
    bytesPerSecond,
    etaSeconds: bytesPerSecond === 0 ? undefined : Math.ceil(left / bytesPerSecond),
  }
}

function phaseOf(phase: ResyncProgress['phase']): Progress['phase'] {
  if (phase === 'comparing') return 'compare'
  return phase === 'copying' ? 'copy' : 'delta'
}
