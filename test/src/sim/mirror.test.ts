/** The mirror's machine through random histories: faults for a while, then healing. Guards G1 and G2. */
import test from 'ava'
import { World, type WorldOptions } from './mirror-world.js'

const histories = Number(process.env['HOLDFAST_SEEDS'] ?? '400')

/** One history: returns the world after faults and healing. */
function history(options: WorldOptions, partitions: boolean): World {
  const world = new World(options)
  world.form()
  const { random } = world
  world.mayDie(true)
  const rounds = random.integer(5, 25)
  for (let round = 0; round < rounds && world.violation === undefined; round += 1) {
    const name = random.pick(['a', 'b'])
    switch (random.integer(0, partitions ? 9 : 7)) {
      case 0:
        world.powerOff(name)
        break
      case 1:
        world.powerOn(name)
        break
      case 2:
        world.killDaemon(name)
        break
      case 3:
        world.command(name, 'stop')
        break
      case 4:
      case 5:
        world.command(name, 'start')
        break
      case 6:
        world.command(name, 'stopstart')
        break
      case 7:
        world.command(name, 'swap')
        break
      case 8:
        world.cut(true)
        break
      default:
        world.cut(false)
    }
    for (let spell = 0; spell < 4; spell += 1) {
      world.write()
      world.run(random.integer(10, 2_500))
      world.write()
    }
  }
  world.mayDie(false)
  world.heal()
  world.run(60_000)
  world.write()
  return world
}

function isWhole(world: World): boolean {
  const roles = [world.role('a'), world.role('b')].sort().join()
  return roles === 'prim,second'
}

function report(world: World, seed: number): string {
  return [
    `seed ${String(seed)}: ${world.violation ?? `not healed: ${world.role('a')}, ${world.role('b')}`}`,
    ...world.trace.slice(-60),
  ].join('\n')
}

for (const [title, witness, isolation, partitions] of [
  [
    'G1 G2: with an exclusive witness nothing acknowledged is lost and only one node acknowledges, and the pair heals',
    true,
    'wait',
    true,
  ],
  [
    'G1 G2: without a witness, where a node may not go on alone, nothing is lost under any cut',
    false,
    'wait',
    true,
  ],
  [
    'G1 G2: without a witness, where a node may go on alone, nothing is lost while the cable holds',
    false,
    'alone',
    false,
  ],
] as const) {
  test(title, (t) => {
    for (let seed = 1; seed <= histories; seed += 1) {
      const defaultprim = ['alone', 'a', 'lastprim'][seed % 3] ?? 'alone'
      const world = history({ seed, witness, isolation, defaultprim }, partitions)
      if (world.violation !== undefined || !isWhole(world)) {
        t.fail(report(world, seed))
        return
      }
    }
    t.pass()
  })
}
