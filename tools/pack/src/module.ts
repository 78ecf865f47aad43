/** A directory with the sources of a module becomes a `.safe` archive. */
import {
  assemble,
  configurationName,
  fileOf,
  makeArchive,
  type ModuleManifest,
  parameterFindings,
  requireManifest,
  signatureOf,
} from '@holdfast/core/packages'
import { HoldfastError } from '@holdfast/sdk'

export interface Packed {
  readonly manifest: ModuleManifest
  readonly data: Buffer
}

/** `privatePem`: whoever answers for the module. Undefined: nobody signs it. */
export async function packModule(
  directory: string,
  privatePem: string | undefined,
): Promise<Packed> {
  const sources = await assemble(directory)
  const manifest = requireManifest(sources, directory)
  // Defaults may be missing where somebody has to choose, but what is there must be of the schema.
  const optional = { ...manifest, parameters: { ...manifest.parameters, required: [] } }
  const xml = fileOf(sources, configurationName) ?? ''
  const findings = parameterFindings(xml, optional, `${directory}/${configurationName}`)
  if (findings.length > 0) {
    const lines = findings.map(({ line, message }) => `${configurationName}:${line}: ${message}`)
    throw new HoldfastError('E_PACKAGE_MANIFEST', `${directory}: ${lines.join('; ')}`, {
      hint: 'each parameter of module.json is a macro whose value is the default',
    })
  }
  const sign =
    privatePem === undefined
      ? undefined
      : (list: Buffer): string => signatureOf('module', list, privatePem)
  return { manifest, data: await makeArchive(sources, sign) }
}
