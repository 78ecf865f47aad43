/** Two full Holdfast nodes with one module: a replicated directory, nothing else. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formCluster, type Lab, LabError, Product, runCommand, until } from '@holdfast/lab'
import { beneathDirectory, diskDirectory } from '../disks.js'
import type { BenchOptions } from '../options.js'
import type { Side } from './side.js'

export const moduleName = 'bench'
export const directory = join(diskDirectory, 'replicated')
const beneath = join(beneathDirectory, 'replicated')
export const startTimeoutMs = 60_000
const compareTimeoutMs = 900_000
const compareProgram = fileURLToPath(
  new URL('../../../../plugins/rfs/dist/verify/main.js', import.meta.url),
)

type ModuleOptions = Pick<BenchOptions, 'async' | 'encryption'>

export async function holdfastSide(lab: Lab, options: BenchOptions): Promise<Side> {
  const products = await installPair(lab, options)
  const [primary, secondary] = products
  await order(primary, 'prim')
  await primary.waitForState(moduleName, ['ALONE Ready'], startTimeoutMs)
  if (options.nodes === '1') return aloneSide(primary)
  await order(secondary, 'start')
  await secondary.waitForState(moduleName, ['SECOND Ready'], startTimeoutMs)
  await primary.waitForState(moduleName, ['PRIM Ready'], startTimeoutMs)
  return {
    ...sideOf(primary),
    copies: products.map(({ host }) => ({ node: host, directory: beneath })),
    check: () => checkPair(primary, secondary),
    end: () => endPair(primary, secondary),
  }
}

function aloneSide(primary: Product): Side {
  return {
    ...sideOf(primary),
    copies: [{ node: primary.host, directory: beneath }],
    async check() {
      const state = await primary.state(moduleName)
      if (state !== 'ALONE Ready') throw new LabError(`n1 does not serve alone: it is ${state}`)
    },
    end: () => endNode(primary),
  }
}

function sideOf({ host }: Product): Pick<Side, 'name' | 'node' | 'directory' | 'movesData'> {
  return {
    name: 'holdfast',
    node: host,
    directory,
    movesData: (commandLine) =>
      commandLine.some((word) => word.endsWith('/rfs/dist/plane/main.js')),
  }
}

/** Both daemons with the module configured, not started. */
export async function installPair(
  lab: Lab,
  options: ModuleOptions,
): Promise<readonly [Product, Product]> {
  const products = [new Product(lab.host('n1')), new Product(lab.host('n2'))] as const
  const [primary] = products
  for (const { host } of products) await host.mustRun(['mkdir', '-p', directory])
  await Promise.all(products.map((product) => product.start()))
  await formCluster(lab.spec, products)
  await primary.mustRun(['module', 'install', moduleName, await writeModule(lab, options)])
  await primary.mustRun(['module', 'config', moduleName])
  return products
}

/** A primary that lost its secondary writes faster: such a figure must not be shown. */
async function checkPair(primary: Product, secondary: Product): Promise<void> {
  const states = [await primary.state(moduleName), await secondary.state(moduleName)]
  if (states[0] === 'PRIM Ready' && states[1] === 'SECOND Ready') return
  const causes = await Promise.all(
    [primary, secondary].map(async (product) => (await product.module(moduleName))?.state?.cause),
  )
  throw new LabError(
    `the pair does not replicate any more: n1 is ${states[0] ?? '?'} (${causes[0] ?? '?'}), ` +
      `n2 is ${states[1] ?? '?'} (${causes[1] ?? '?'})`,
  )
}

/** Compares the copies, then stops the module on both nodes: speed that loses something is worth nothing. */
async function endPair(primary: Product, secondary: Product): Promise<void> {
  await compareCopies([primary, secondary])
  for (const product of [secondary, primary]) await endNode(product)
}

async function endNode(product: Product): Promise<void> {
  await order(product, 'stop')
  await product.waitForState(moduleName, ['STOP NotReady'], startTimeoutMs)
}

/** Content, names, owners, modes and times. Times that the kernel set by itself follow within a second: until then it is tried again. */
export async function compareCopies(products: readonly Product[]): Promise<void> {
  const copies = await Promise.all(products.map(({ host }) => host.inside(beneath)))
  let said = ''
  try {
    await until(
      'the copies of n1 and n2 are identical',
      async () => {
        const compared = await runCommand(process.execPath, [compareProgram, ...copies], {
          timeoutMs: compareTimeoutMs,
        })
        said = `${compared.stdout}${compared.stderr}`.trim().slice(0, 2_000)
        return compared.code === 0 ? true : undefined
      },
      { timeoutMs: 5_000, everyMs: 200 },
    )
  } catch (cause) {
    if (!(cause instanceof LabError)) throw cause
    throw new LabError(`the copies of n1 and n2 differ after the load: ${said}`, { cause })
  }
}

export async function order(product: Product, command: string): Promise<void> {
  await product.mustRun([command, '-m', moduleName, '--no-wait'])
}

/** No `<user>`: the load is started by hand, as a program on the primary would be. */
async function writeModule(lab: Lab, options: ModuleOptions): Promise<string> {
  const sources = join(lab.host('n1').directory, 'module', moduleName)
  await mkdir(join(sources, 'conf'), { recursive: true })
  await mkdir(join(sources, 'bin'), { recursive: true })
  const about = { id: moduleName, version: '1.0.0', title: 'Benchmark', platforms: ['linux'] }
  await writeFile(join(sources, 'module.json'), JSON.stringify(about))
  const xml = `<safe>
  <service mode="mirror" isolation="wait">
    <heart/>
    <rfs async="${options.async}" encryption="${options.encryption}">
      <replicated dir="${directory}"/>
    </rfs>
  </service>
</safe>
`
  await writeFile(join(sources, 'conf', 'userconfig.xml'), xml)
  return sources
}
