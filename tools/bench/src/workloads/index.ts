/** All workloads, in the order in which they run. */
import { LabError } from '@holdfast/lab'
import { fileCreation } from './files.js'
import { fioWorkloads } from './fio.js'
import { pgbenchWorkloads } from './pgbench.js'
import type { Workload } from './workload.js'

export const workloads: readonly Workload[] = [
  ...fioWorkloads.filter(({ name }) => name.startsWith('write')),
  fileCreation,
  ...fioWorkloads.filter(({ name }) => name.startsWith('read')),
  ...pgbenchWorkloads,
]

/** The named ones, in the order of the list; undefined: all. */
export function chosenWorkloads(names: readonly string[] | undefined): readonly Workload[] {
  const unknown = names?.find((name) => !workloads.some((workload) => workload.name === name))
  if (unknown !== undefined) {
    const known = workloads.map(({ name }) => name).join(', ')
    throw new LabError(`--only ${unknown}: there are ${known}`)
  }
  return workloads.filter(({ name }) => names === undefined || names.includes(name))
}
