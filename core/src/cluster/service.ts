/** The cluster as this node knows it: member or not, its configuration, and the network that runs on it. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Cancel, type Clock, type ClusterView, HoldfastError, type Log } from '@holdfast/sdk'
import type { Directories } from '../files/directories.js'
import {
  ClusterNetwork,
  LogGate,
  type Network,
  nextIncarnation,
  portKey,
  unavailablePorts,
} from '../network/index.js'
import { admit } from './admission.js'
import { Agreement, type Proposal } from './agreement.js'
import { createAuthority, createRequest, fingerprintOf, signRequest } from './certificates.js'
import { type ClusterConfig, type ClusterLayout, configOf, readLayout } from './config.js'
import { Invitations } from './invitations.js'
import { onDisk } from './disk.js'
import { firstConnection } from './first-connection.js'
import { joinCluster } from './join.js'
import { type Keyring, readKeyring, removeKeyring, writeKeyring } from './keyring.js'
import {
  isCopyCurrent,
  type Membership,
  readMembership,
  removeMembership,
  writeCopy,
  writeMembership,
} from './member.js'
import { addressesFor, decodeToken, encodeToken } from './token.js'
import { insistNamed, insistTtl, inUse } from './refusals.js'
import { Turn } from './turn.js'
import { withoutNode } from './without.js'

export interface ClusterMember {
  /** The same object as long as this node is a member. */
  readonly network: Network
  readonly config: ClusterConfig
}

export interface ClusterOptions {
  readonly directories: Directories
  readonly clock: Clock
  readonly log: Log
  /** Of Holdfast. */
  readonly version: string
}

interface Running {
  membership: Membership
  config: ClusterConfig
  readonly keyring: Keyring
  readonly network: ClusterNetwork
  readonly agreement: Agreement
  /** Ends the observation of the network. */
  cancel: Cancel
}

export class ClusterService {
  private running: Running | undefined
  private modulesOn: (node: string) => readonly string[] = () => []
  private readonly turn = new Turn()
  private readonly changed = new Set<() => void>()
  private readonly invitations: Invitations

  private constructor(private readonly options: ClusterOptions) {
    const path = join(options.directories.lib, 'cluster', 'invitations.json')
    this.invitations = new Invitations(path, () => options.clock.wallMs())
  }

  /** Starts the network when this node is a member. Throws HoldfastError when its files are damaged. */
  static async open(options: ClusterOptions): Promise<ClusterService> {
    const service = new ClusterService(options)
    const membership = await readMembership(options.directories)
    if (membership === undefined) return service
    await service.run(membership, await readKeyring(options.directories.etc))
    if (!(await isCopyCurrent(options.directories, membership.xml))) {
      const { revision } = membership
      options.log.write('warning', 'clusterXmlNotApplied', { revision })
    }
    return service
  }

  /** Undefined: this node belongs to no cluster. */
  current(): ClusterMember | undefined {
    if (this.running === undefined) return undefined
    const { network, config } = this.running
    return { network, config }
  }

  /** Called when membership, configuration, or anything that `view` shows has changed. */
  onChange(on: () => void): Cancel {
    this.changed.add(on)
    return () => {
      this.changed.delete(on)
    }
  }

  view(): ClusterView {
    const { version } = this.options
    if (this.running === undefined) {
      return { cluster: undefined, self: undefined, version, revision: 0, nodes: [] }
    }
    const { config, network } = this.running
    const { id: cluster, self, revision } = config
    return { cluster, self, version, revision, nodes: network.view() }
  }

  /** The configuration in force. Throws `E_CLUSTER_NONE`. */
  xml(): string {
    return this.member().membership.xml
  }

  async init(request: { readonly xml: string; readonly node: string }): Promise<ClusterView> {
    return this.turn.take(async () => {
      this.insistAlone()
      const { xml, node: self } = request
      const layout = readLayout(xml, 'cluster.xml')
      insistNamed(layout, self)
      await this.insistPorts(layout, self)
      const cluster = randomBytes(8).toString('hex')
      const keyring = await newKeyring(cluster, self)
      await this.become({ cluster, self, revision: 1, xml, joined: [self] }, keyring)
      return this.view()
    })
  }

  async invite(request: {
    readonly node: string
    readonly ttlMs: number
  }): Promise<{ readonly token: string; readonly expiresMs: number }> {
    const { config, keyring, network } = this.member()
    const { node, ttlMs } = request
    insistNamed(config, node)
    insistTtl(ttlMs)
    if (network.view().some((one) => one.node === node && one.connected)) {
      throw new HoldfastError('E_CLUSTER_JOINED', `${node} is a connected member already`, {
        hint: 'an invitation is only for a node that has to join',
      })
    }
    const { id, secret, expiresMs } = await this.turn.take(() => this.invitations.add(node, ttlMs))
    const authority = fingerprintOf(keyring.authorityPem)
    const addresses = addressesFor(config, node)
    const token = encodeToken({ addresses, cluster: config.id, authority, node, id, secret })
    this.options.log.write('event', 'nodeInvited', { node, invitation: id, expiresMs })
    return { token, expiresMs }
  }

  async join(request: { readonly token: string }): Promise<ClusterView> {
    await this.turn.take(async () => {
      this.insistAlone()
      const token = decodeToken(request.token)
      const { clock } = this.options
      const accept = (layout: ClusterLayout): Promise<void> => this.insistPorts(layout, token.node)
      const { keyring, xml, revision } = await joinCluster(token, { clock, accept })
      const { cluster, node: self } = token
      await this.become({ cluster, self, revision, xml, joined: [self] }, keyring)
    })
    if (this.running !== undefined) {
      await firstConnection(this.running.network, this.options.clock)
    }
    return this.view()
  }

  async configure(request: { readonly xml: string }): Promise<ClusterView> {
    const { config, agreement } = this.member()
    insistNamed(readLayout(request.xml, 'cluster.xml'), config.self)
    await agreement.propose(request.xml)
    return this.view()
  }

  /** The same for a configuration without `node`. What it has of the cluster, it removes itself when it hears of it. */
  async remove({ node }: { readonly node: string }): Promise<ClusterView> {
    const { config, membership, agreement } = this.member()
    insistNamed(config, node)
    if (node === config.self) {
      throw new HoldfastError('E_CLUSTER_SELF', `${node} is this node`, {
        hint: 'give the order on a node that stays',
      })
    }
    await agreement.propose(withoutNode(membership.xml, node))
    return this.view()
  }

  /** Nodes on which these modules are configured are not removed while they can be reached. */
  protect(modulesOn: (node: string) => readonly string[]): void {
    this.modulesOn = modulesOn
  }

  /** Leaves the network, not the cluster. */
  async stop(): Promise<void> {
    await this.turn.take(() => this.halt())
    this.changed.clear()
  }

  /** Cut after any step, the node is no member: the member file is written last. */
  private async become(membership: Membership, keyring: Keyring): Promise<void> {
    const { directories, log } = this.options
    await writeKeyring(directories.etc, keyring)
    await writeCopy(directories, membership.xml)
    await writeMembership(directories, membership)
    await this.run(membership, keyring)
    const { cluster, self, revision } = membership
    log.write('event', 'clusterEntered', { cluster, node: self, revision })
    this.tellChange()
  }

  private async run(membership: Membership, keyring: Keyring): Promise<void> {
    const { directories, clock, log, version } = this.options
    const config = configFrom(membership)
    const path = join(directories.lib, 'cluster', 'incarnation.json')
    const incarnation = await onDisk('the incarnation', () => nextIncarnation(path, clock.wallMs()))
    const gate = new LogGate(log, clock)
    const network = new ClusterNetwork({
      ...{ settings: config, credentials: keyring, incarnation, version, clock, log },
      onJoin: (socket) => {
        const { cluster } = membership
        const { turn, invitations } = this
        const present = () => {
          const { membership: now, config: named } = this.member()
          return { xml: now.xml, revision: now.revision, nodes: named.nodes }
        }
        void admit(socket, { clock, log, gate, turn, invitations, keyring, cluster, present })
      },
    })
    this.running = {
      ...{ membership, config, keyring, network },
      agreement: this.agreementOn(network),
      cancel: () => undefined,
    }
    this.running.cancel = this.observe(network)
  }

  private agreementOn(network: ClusterNetwork): Agreement {
    const { clock, log } = this.options
    return new Agreement({
      ...{ clock, log },
      peers: network.peersFor('core/cluster', () => this.running?.config.nodes ?? []),
      present: () => this.member().membership,
      accept: (layout) => this.accept(layout),
      apply: (proposal) => this.turn.take(() => this.apply(proposal)),
      follow: () => {
        this.later(() => this.follow())
      },
    })
  }

  private async accept(layout: ClusterLayout): Promise<void> {
    const { config, network } = this.member()
    const isThere = new Set(network.view().flatMap((one) => (one.connected ? [one.node] : [])))
    for (const node of config.nodes.filter((name) => !layout.nodes.includes(name))) {
      // One that is lost can't be deconfigured any more: what runs there the operator has to know.
      if (node !== config.self && !isThere.has(node)) continue
      const [module] = this.modulesOn(node)
      if (module !== undefined) throw inUse(node, module)
    }
    await this.insistPorts(layout, config.self)
  }

  private observe(network: ClusterNetwork): Cancel {
    const connected = new Set<string>()
    const look = (): void => {
      for (const { node, connected: isConnected } of network.view()) {
        const isNew = isConnected && !connected.has(node)
        if (isConnected) connected.add(node)
        else connected.delete(node)
        if (isNew) this.onConnected(node)
      }
      this.tellChange()
    }
    look()
    return network.onChange(look)
  }

  private onConnected(node: string): void {
    this.running?.agreement.announce(node)
    this.later(async () => {
      const { running } = this
      if (running === undefined || running.membership.joined.includes(node)) return
      const joined = [...running.membership.joined, node].sort()
      const next = { ...running.membership, joined }
      await writeMembership(this.options.directories, next)
      running.membership = next
    })
  }

  /** Work that nobody waits for: what it cannot do is for the log. */
  private later(work: () => Promise<void>): void {
    const supervised = async (): Promise<void> => {
      try {
        await this.turn.take(work)
      } catch (thrown) {
        if (!(thrown instanceof HoldfastError)) throw thrown
        const { code, message } = thrown
        this.options.log.write('critical', 'clusterWorkFailed', { code, text: message })
      }
    }
    void supervised()
  }

  private async apply(proposal: Proposal): Promise<void> {
    const { directories, log } = this.options
    const { running } = this
    if (running === undefined || proposal.revision <= running.membership.revision) return
    const { nodes } = readLayout(proposal.xml, 'cluster.xml')
    const joined = running.membership.joined.filter((node) => nodes.includes(node))
    const next = { ...running.membership, ...proposal, joined }
    await writeMembership(directories, next)
    running.membership = next
    await writeCopy(directories, proposal.xml)
    log.write('event', 'clusterConfigApplied', { revision: proposal.revision })
  }

  private async follow(): Promise<void> {
    const { running } = this
    if (running === undefined || running.config.revision === running.membership.revision) return
    const { self } = running.config
    if (!readLayout(running.membership.xml, 'cluster.xml').nodes.includes(self)) {
      await this.leave(self)
      return
    }
    running.config = configFrom(running.membership)
    running.network.configure(running.config)
    this.tellChange()
  }

  /** The cluster has removed this node: it keeps nothing that opens a door there. */
  private async leave(self: string): Promise<void> {
    const { directories, log } = this.options
    await this.halt()
    await removeMembership(directories)
    await removeKeyring(directories.etc)
    log.write('critical', 'clusterLeft', { node: self, cause: 'removed from cluster.xml' })
    this.tellChange()
  }

  private async halt(): Promise<void> {
    const { running } = this
    this.running = undefined
    running?.cancel()
    running?.agreement.stop()
    await running?.network.stop()
  }

  private member(): Running {
    if (this.running !== undefined) return this.running
    throw new HoldfastError('E_CLUSTER_NONE', 'this node belongs to no cluster', {
      hint: 'use "holdfast cluster init" on the first node, "holdfast cluster join" on the others',
    })
  }

  private insistAlone(): void {
    if (this.running === undefined) return
    const { id, self } = this.running.config
    throw new HoldfastError('E_CLUSTER_MEMBER', `this node is ${self} of cluster ${id} already`, {
      hint: 'a node belongs to one cluster only',
    })
  }

  /** The ports that this node has open already are its own. */
  private async insistPorts(layout: ClusterLayout, self: string): Promise<void> {
    if (!layout.nodes.includes(self)) return
    const own = (this.running?.config.lans ?? []).flatMap((lan) => portKey(lan, self) ?? [])
    const { clock } = this.options
    const causes = await unavailablePorts(layout.lans, self, { clock, except: new Set(own) })
    if (causes.length === 0) return
    throw new HoldfastError('E_CLUSTER_PORT', `${self}: ${causes.join('; ')}`, {
      hint: 'correct addr (behind NAT: laddr) or port in cluster.xml, or stop the program that uses the port',
    })
  }

  private tellChange(): void {
    for (const on of [...this.changed]) on()
  }
}

async function newKeyring(cluster: string, node: string): Promise<Keyring> {
  const authority = await createAuthority(cluster)
  const { requestPem, privateKeyPem } = await createRequest(node)
  return {
    authorityPem: authority.certificatePem,
    authorityKeyPem: authority.privateKeyPem,
    certificatePem: await signRequest(requestPem, authority, { cluster, node }),
    privateKeyPem,
    heartbeatKey: randomBytes(32),
  }
}

function configFrom(membership: Membership): ClusterConfig {
  const { cluster: id, revision, self } = membership
  return configOf(readLayout(membership.xml, 'cluster.xml'), { id, revision, self })
}
