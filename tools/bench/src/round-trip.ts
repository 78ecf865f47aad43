/** What the network between the two nodes costs by itself: the time that no synchronous replication can save. */
import { type Host, LabError, until } from '@holdfast/lab'
import { parseFio } from './workloads/fio-output.js'

const port = 7654
const seconds = 1

/** Median time of 64 bytes from one node to the other and back over TCP, in microseconds. */
export async function roundTripUs(from: Host, to: Host): Promise<number> {
  const common = [
    ...['fio', '--name=round-trip', '--ioengine=net', '--protocol=tcp', `--port=${port}`],
    ...['--nodelay=1', '--pingpong=1', '--bs=64', '--size=1g', '--time_based=1'],
    ...[`--runtime=${seconds}s`, '--percentile_list=50:99', '--output-format=json'],
  ]
  const options = { timeoutMs: 15_000 }
  const listener = to.run([...common, '--listen', '--rw=read'], options)
  await waitForPort(to)
  const address = to.cables[0]?.ipv4 ?? ''
  const result = await from.run([...common, `--hostname=${address}`, '--rw=write'], options)
  await listener
  if (result.code !== 0)
    throw new LabError(`fio could not measure the round trip: ${result.stderr}`)
  return parseFio(result.stdout, 'write').direction.p50us
}

async function waitForPort(host: Host): Promise<void> {
  await until(
    `fio of ${host.name} listens`,
    async () => {
      const sockets = await host.run(['ss', '-Hltn', `sport = :${port}`])
      return sockets.stdout.trim() === '' ? undefined : true
    },
    { timeoutMs: 10_000, everyMs: 50 },
  )
}
