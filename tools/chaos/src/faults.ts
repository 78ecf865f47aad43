/** Makes each kind of fault happen to a real pair, and ends it. What a fault finds broken already (a node that is off) is not done twice. */
import { LabError, monotonicMs, type Product, signal, until } from '@holdfast/lab'
import type { KindName } from './kinds.js'
import type { Fault } from './schedule.js'
import { ballast, daemonProcess, type World } from './world.js'

interface Scene {
  readonly world: World
  readonly primary: Product
  readonly secondary: Product
  readonly fault: Fault
}

/** Ends the fault. Nothing to do: the product helps itself. */
type Heal = () => Promise<void>

/** An armed watchdog has fired by then, on any machine. */
const watchdogMsMax = 60_000

const nothing: Heal = () => Promise.resolve()

const faults: Readonly<Record<KindName, (scene: Scene) => Promise<Heal>>> = {
  'kill-daemon-primary': ({ primary }) => toDaemon(primary, 'SIGKILL'),
  'kill-daemon-secondary': ({ secondary }) => toDaemon(secondary, 'SIGKILL'),
  'freeze-daemon-primary': ({ primary }) => toDaemon(primary, 'SIGSTOP'),
  'freeze-daemon-secondary': ({ secondary }) => toDaemon(secondary, 'SIGSTOP'),
  'kill-plane-primary': ({ primary }) => toDataPlane(primary, 'SIGKILL'),
  'kill-plane-secondary': ({ secondary }) => toDataPlane(secondary, 'SIGKILL'),
  'freeze-plane-primary': ({ primary }) => toDataPlane(primary, 'SIGSTOP'),
  'freeze-plane-secondary': ({ secondary }) => toDataPlane(secondary, 'SIGSTOP'),
  'kill-application': killApplication,
  'power-off-primary': ({ world, primary }) => powerOff(world, [primary]),
  'power-off-secondary': ({ world, secondary }) => powerOff(world, [secondary]),
  'power-off-both': powerOffBoth,
  'hang-primary': hang,
  'freeze-primary': ({ primary }) => freeze(primary),
  'freeze-secondary': ({ secondary }) => freeze(secondary),
  'cut-primary': ({ world, primary }) => cut(world, primary),
  'cut-secondary': ({ world, secondary }) => cut(world, secondary),
  'cut-first-lan': ({ world, primary }) => cut(world, primary, 'default'),
  'cut-second-lan': ({ world, primary }) => cut(world, primary, 'second'),
  separate: (scene) => lose(scene, { there: 100, back: 100 }),
  'one-way-from-primary': (scene) => lose(scene, { there: 100, back: 0 }),
  'one-way-from-secondary': (scene) => lose(scene, { there: 0, back: 100 }),
  loss: (scene) => {
    const percent = 5 + Math.round(scene.fault.dice * 20)
    return lose(scene, { there: percent, back: percent })
  },
  'kill-witness': async ({ world }) => {
    await world.witness.kill()
    return () => world.witness.start()
  },
  'clock-jump-primary': (scene) => jumpClock(scene, scene.primary),
  'clock-jump-secondary': (scene) => jumpClock(scene, scene.secondary),
  'full-disk-primary': fillApplicationsDisk,
  'full-disk-secondary': ({ secondary }) => fillDisk(secondary),
  swap: ({ world, primary }) => order(world, primary, 'swap'),
  'stop-start-primary': ({ world, primary }) => order(world, primary, 'stop', 'start'),
  'stop-start-secondary': ({ world, secondary }) => order(world, secondary, 'stop', 'start'),
  'stopstart-primary': ({ world, primary }) => order(world, primary, 'stopstart'),
  'restart-primary': ({ world, primary }) => order(world, primary, 'restart'),
  'stop-both': stopBoth,
  'upgrade-primary': ({ world, primary }) => upgrade(world, [primary]),
  'upgrade-secondary': ({ world, secondary }) => upgrade(world, [secondary]),
  'upgrade-both': (scene) => upgrade(scene.world, inEitherOrder(scene)),
  'upgrade-copy': (scene) => upgrade(scene.world, inEitherOrder(scene), { otherCopy: true }),
}

/** Does it; returns the instant before it and how it is ended, or undefined when there was nothing left to break. */
export async function inject(
  scene: Scene,
): Promise<{ readonly atMs: number; readonly heal: Heal } | undefined> {
  const atMs = monotonicMs()
  try {
    return { atMs, heal: await faults[scene.fault.kind](scene) }
  } catch (error) {
    // An earlier fault of the round took the victim away.
    if (error instanceof LabError) return undefined
    throw error
  }
}

function toDaemon(node: Product, name: 'SIGKILL' | 'SIGSTOP'): Promise<Heal> {
  return toProcesses(
    () => node.host.processes(daemonProcess),
    name,
    `holdfastd of ${node.host.name}`,
  )
}

function toDataPlane(node: Product, name: 'SIGKILL' | 'SIGSTOP'): Promise<Heal> {
  return toProcesses(() => node.dataPlanes(), name, `the data plane of ${node.host.name}`)
}

async function toProcesses(
  find: () => Promise<readonly number[]>,
  name: 'SIGKILL' | 'SIGSTOP',
  what: string,
): Promise<Heal> {
  const pids = await find()
  if (pids.length === 0) throw new LabError(`${what} does not run`)
  for (const pid of pids) signal(pid, name)
  if (name === 'SIGKILL') return nothing
  return async () => {
    // By what they are, not by their ids: those may belong to somebody else by now.
    for (const pid of await find()) signal(pid, 'SIGCONT')
  }
}

async function killApplication({ world, primary }: Scene): Promise<Heal> {
  const find = (): Promise<readonly number[]> => primary.host.processes(world.application.process)
  await toProcesses(find, 'SIGKILL', 'the application')
  return restartApplication(world, primary)
}

function restartApplication(world: World, node: Product): Heal {
  return async () => {
    if (await node.host.isOn()) await world.tryOrder(node, 'restart')
  }
}

async function powerOff(world: World, nodes: readonly Product[]): Promise<Heal> {
  await Promise.all(nodes.map((node) => node.host.powerOff()))
  return async () => {
    for (const node of nodes) {
      if (!(await node.host.isOn())) await world.pair.switchOn(node)
    }
  }
}

/** Which one is back first is left to chance. */
function powerOffBoth(scene: Scene): Promise<Heal> {
  return powerOff(scene.world, inEitherOrder(scene))
}

function inEitherOrder({ primary, secondary, fault }: Scene): readonly Product[] {
  return fault.dice < 0.5 ? [primary, secondary] : [secondary, primary]
}

/** As the operator does it: installs, and some time later restarts the daemon, which is started again whatever ended it. */
async function upgrade(
  world: World,
  nodes: readonly Product[],
  { otherCopy } = { otherCopy: false },
): Promise<Heal> {
  const areOn = await Promise.all(nodes.map((node) => node.host.isOn()))
  if (!areOn.includes(true)) throw new LabError('no node is on that could be upgraded')
  await world.install(nodes, otherCopy)
  return async () => {
    for (const node of nodes) {
      for (const pid of await node.host.processes(daemonProcess)) signal(pid, 'SIGTERM')
    }
  }
}

/** What hangs for too long does not go on: its watchdog resets it, and where there is none we stand for one. */
async function hang({ world, primary }: Scene): Promise<Heal> {
  const { host } = primary
  await host.freeze()
  return async () => {
    if (host.isGuarded) {
      const off = async (): Promise<true | undefined> => ((await host.isOn()) ? undefined : true)
      await until(`the watchdog of ${host.name} resets it`, off, { timeoutMs: watchdogMsMax })
    } else if (await host.isOn()) await host.powerOff()
    await world.pair.switchOn(primary)
  }
}

async function freeze(node: Product): Promise<Heal> {
  await node.host.freeze()
  return () => node.host.thaw()
}

async function cut(world: World, node: Product, lan?: string): Promise<Heal> {
  if (!(await node.host.isOn())) throw new LabError(`${node.host.name} is off`)
  const choice = { host: node.host.name, ...(lan === undefined ? {} : { lan }) }
  await world.pair.lab.network.cut(choice)
  return () => world.pair.lab.network.heal(choice)
}

async function lose(
  { world, primary, secondary }: Scene,
  percent: { readonly there: number; readonly back: number },
): Promise<Heal> {
  const { network, spec } = world.pair.lab
  const losses = (there: number, back: number) =>
    spec.lans.flatMap((lan) => [
      { from: primary.host.name, to: secondary.host.name, lan, percent: there },
      { from: secondary.host.name, to: primary.host.name, lan, percent: back },
    ])
  await network.lose(...losses(percent.there, percent.back))
  return () => network.lose(...losses(0, 0))
}

async function jumpClock({ world, fault }: Scene, node: Product): Promise<Heal> {
  const hours = Math.round((fault.dice - 0.5) * 96)
  await world.setClock(node, hours * 3600 + 17)
  return () => world.setClock(node, 0)
}

async function fillDisk(node: Product): Promise<Heal> {
  // Ends with "no space left", which is what it is for.
  await node.host.run(['sh', '-c', `head -c 9G /dev/zero >${ballast}`])
  if (!(await node.host.isOn())) throw new LabError(`${node.host.name} is off`)
  return async () => {
    if (await node.host.isOn()) await node.host.run(['rm', '-f', ballast])
  }
}

/** The application can't go on without space, and nothing watches its process: the operator makes space and restarts it. */
async function fillApplicationsDisk({ world, primary }: Scene): Promise<Heal> {
  const makeSpace = await fillDisk(primary)
  const restart = restartApplication(world, primary)
  return async () => {
    await makeSpace()
    await restart()
  }
}

async function order(world: World, node: Product, command: string, later?: string): Promise<Heal> {
  if (!(await world.tryOrder(node, command))) throw new LabError(`${command} was refused`)
  if (later === undefined) return nothing
  return async () => {
    if (await node.host.isOn()) await world.tryOrder(node, later)
  }
}

async function stopBoth(scene: Scene): Promise<Heal> {
  const { world } = scene
  const nodes = inEitherOrder(scene)
  for (const node of nodes) await world.tryOrder(node, 'stop')
  return async () => {
    for (const node of nodes) {
      if (await node.host.isOn()) await world.tryOrder(node, 'start')
    }
  }
}
