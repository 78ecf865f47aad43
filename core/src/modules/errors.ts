/** Refusals that name a module, said in one way. */
import { HoldfastError } from '@holdfast/sdk'

export function unknownModule(name: string, known: Iterable<string>): HoldfastError {
  const names = [...known].sort()
  return new HoldfastError('E_MODULE_UNKNOWN', `there is no module "${name}"`, {
    hint: names.length === 0 ? 'install one first' : `modules: ${names.join(', ')}`,
  })
}

export function unconfigured(name: string): HoldfastError {
  return new HoldfastError('E_MODULE_UNCONFIGURED', `module ${name} is not configured here`, {
    hint: `run "holdfast module config ${name}" first`,
  })
}

export function noCluster(): HoldfastError {
  return new HoldfastError('E_CLUSTER_NONE', 'this node belongs to no cluster yet', {
    hint: 'run "holdfast cluster init" or "holdfast cluster join" first',
  })
}
