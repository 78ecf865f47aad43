#!/usr/bin/env node
/** The lab by hand: `node tools/lab/dist/main.js help`. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { baseEnvironment, LabError } from './command.js'
import type { Host } from './host.js'
import { Lab, labIds, removeLeftovers } from './lab.js'
import { Product } from './product.js'

const help = `lab: several machines on one

  up [--nodes n1,n2] [--clients c1] [--lans default] [--disks plain|tmpfs]
                              builds a lab that stays; prints its id
  list                        the labs of this machine
  show ID                     hosts, addresses, disks
  exec ID HOST COMMAND...     runs a command in a host
  shell ID HOST               a shell in a host
  off ID HOST                 power cut: cable and processes at once
  on ID HOST                  switches the host on again, with the same disks; a node of a cluster starts Holdfast
  cut ID HOST [LAN]           unplugs the cable
  heal ID HOST [LAN]          plugs it in again
  lose ID FROM TO LAN PERCENT frames from FROM to TO get lost (100: one-way cut, 0: no more)
  limit ID HOST MBIT|off      bandwidth towards the host
  freeze ID HOST              everything in the host stands still
  thaw ID HOST                and goes on
  down ID                     removes a lab
  clean [--all]               removes what dead owners left behind; --all: every lab`

async function main(args: readonly string[]): Promise<number> {
  const [verb = 'help', ...rest] = args
  switch (verb) {
    case 'up':
      return up(rest)
    case 'list':
      for (const id of await labIds()) console.log(id)
      return 0
    case 'clean':
      return clean(rest.includes('--all'))
    case 'help':
    case '--help':
      console.log(help)
      return 0
    default:
      return inLab(verb, rest)
  }
}

async function up(args: readonly string[]): Promise<number> {
  const list = (name: string): { [key: string]: readonly string[] } => {
    const value = option(args, name)
    return value === undefined ? {} : { [name]: value.split(',').filter((item) => item !== '') }
  }
  const disks = option(args, 'disks')
  if (disks !== undefined && disks !== 'plain' && disks !== 'tmpfs') {
    throw new LabError('--disks is plain or tmpfs')
  }
  const lab = await Lab.create({
    ...list('nodes'),
    ...list('clients'),
    ...list('lans'),
    ...(disks === undefined ? {} : { disks }),
  })
  await lab.keep()
  console.log(lab.id)
  return 0
}

async function clean(all: boolean): Promise<number> {
  const removed = [...(await removeLeftovers())]
  if (all) {
    for (const id of await labIds()) {
      await (await Lab.open(id)).remove()
      removed.push(id)
    }
  }
  for (const id of removed) console.log(`removed ${id}`)
  return 0
}

async function inLab(verb: string, args: readonly string[]): Promise<number> {
  const [id, first, ...rest] = args
  if (id === undefined) throw new LabError(`lab ${verb}: which lab? See: lab help`)
  const lab = await Lab.open(id)
  if (verb === 'down') {
    await lab.remove()
    return 0
  }
  if (verb === 'show') {
    for (const host of lab.hosts()) {
      const addresses = host.cables.map((cable) => `${cable.lan}=${cable.ipv4},${cable.ipv6}`)
      const power = (await host.isOn()) ? 'on ' : 'off'
      console.log(`${host.name} ${power} ${addresses.join(' ')} ${host.disk}`)
    }
    return 0
  }
  if (first === undefined) throw new LabError(`lab ${verb}: which host? See: lab help`)
  return withHost(lab, verb, first, rest)
}

async function withHost(
  lab: Lab,
  verb: string,
  name: string,
  rest: readonly string[],
): Promise<number> {
  const host = lab.host(name)
  const [argument] = rest
  const cable = argument === undefined ? { host: name } : { host: name, lan: argument }
  switch (verb) {
    case 'exec':
    case 'shell': {
      const command = verb === 'shell' ? [process.env['SHELL'] ?? '/bin/sh'] : rest
      const [program, ...args] = await host.commandLine(command)
      // The hosts' own PATH: there `holdfast` is the command of this checkout.
      const env = { ...process.env, ...baseEnvironment() }
      return spawnSync(program ?? '', args, { stdio: 'inherit', env }).status ?? 1
    }
    case 'off':
      await host.powerOff()
      return 0
    case 'on':
      await host.powerOn()
      // As on a server where the service is enabled: who takes a node of a cluster off and on wants it back.
      if (await isNode(host)) await new Product(host).start()
      return 0
    case 'cut':
      await lab.network.cut(cable)
      return 0
    case 'heal':
      await lab.network.heal(cable)
      return 0
    case 'freeze':
      await host.freeze()
      return 0
    case 'thaw':
      await host.thaw()
      return 0
    case 'lose':
      await lab.network.lose({
        from: name,
        to: rest[0] ?? '',
        lan: rest[1] ?? '',
        percent: numberOf(rest[2], 0, 100),
      })
      return 0
    case 'limit':
      await lab.network.limit(
        { host: name },
        argument === 'off' ? undefined : numberOf(argument, 1, 100_000),
      )
      return 0
    default:
      throw new LabError(`lab has no command "${verb}". See: lab help`)
  }
}

/** Holdfast ran here before. */
async function isNode(host: Host): Promise<boolean> {
  return existsSync(await host.inside('/etc/holdfast/cluster.xml'))
}

function option(args: readonly string[], name: string): string | undefined {
  const index = args.indexOf(`--${name}`)
  return index < 0 ? undefined : args[index + 1]
}

function numberOf(text: string | undefined, least: number, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new LabError(`"${text ?? ''}": use a whole number from ${least} to ${most}`)
  }
  return value
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LabError)) throw error
  console.error(`lab: ${error.message}`)
  process.exitCode = 1
}
