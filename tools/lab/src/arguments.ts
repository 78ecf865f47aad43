/** The command lines of the programs that use a lab: read alike, and refused alike. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { LabError } from './command.js'

/** Throws what is wrong, and how it is used. */
export function parseArguments<const T extends ParseArgsConfig>(
  config: T,
  usage: string,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    // Documented: parseArgs throws nothing else about what the user typed.
    if (!(error instanceof TypeError)) throw error
    throw new LabError(`${error.message}\n\n${usage}`, { cause: error })
  }
}
