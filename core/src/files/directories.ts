/** Where Holdfast keeps its files on a node. One environment variable moves all of it. */
import { join } from 'node:path'

export interface Directories {
  /** Written by the operator: cluster.xml, keys, module sources. */
  readonly etc: string
  /** Survives a reboot: state, applied modules, logs. */
  readonly lib: string
  /** Gone after a reboot: sockets, what a restarted daemon needs to adopt. */
  readonly run: string
}

/** `HOLDFAST_ROOT` moves all three, so that several nodes can live on one machine. */
export function directoriesFrom(
  environment: Readonly<Record<string, string | undefined>>,
): Directories {
  const root = environment['HOLDFAST_ROOT'] ?? '/'
  return {
    etc: join(root, 'etc/holdfast'),
    lib: join(root, 'var/lib/holdfast'),
    run: join(root, 'run/holdfast'),
  }
}
