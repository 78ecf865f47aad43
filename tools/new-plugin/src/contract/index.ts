/** The contract suite: one suite for every plugin directory, also for plugins that others wrote. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@holdfast/sdk'
import { rules } from './rules.js'
import { type ContractSetting, ContractWorld } from './world.js'

export type { ContractSetting } from './world.js'

export interface ContractResult {
  readonly sentence: string
  /** Undefined: kept. */
  readonly broken: string | undefined
}

/**
 * All rules over the plugin in `directory`. Without a `setting` its own `contract.json` is used (`{ "config": … }`), else
 * the defaults of its schema.
 */
export async function checkContract(
  directory: string,
  setting?: ContractSetting,
  holdfastVersion = '0.1.0',
): Promise<readonly ContractResult[]> {
  const given = setting ?? (await ownSetting(directory))
  const world = await ContractWorld.open(directory, given, holdfastVersion)
  const results: ContractResult[] = []
  try {
    for (const rule of rules) {
      results.push({ sentence: rule.sentence, broken: await rule.check(world).catch(messageOf) })
      if (world.problem !== undefined) break // Nothing else of it can be judged.
    }
  } finally {
    await world.close()
  }
  return results
}

async function ownSetting(directory: string): Promise<ContractSetting> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, 'contract.json'), 'utf8'))
    return typeof value === 'object' && value !== null && 'config' in value
      ? { config: value.config }
      : {}
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return {}
    throw thrown
  }
}
