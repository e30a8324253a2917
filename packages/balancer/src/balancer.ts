// A balancer: wires its parts, in the order of their layers, and starts and stops them. The path of a connection is dispatch/dispatcher.ts.

import type { Acceptor } from '@switchyard/handoff'
import { openRefusedClients } from './attackers/listener-clients.ts'
import { Counts } from './counts/counts.ts'
import type { MetricStore } from './counts/metric-store.ts'
import { acceptorOptions } from './dispatch/acceptor-options.ts'
import { ActiveConfig } from './dispatch/active-config.ts'
import { ClaimPoller } from './dispatch/claim-poller.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { PathRecords } from './dispatch/path-records.ts'
import type { Pool } from './dispatch/pool.ts'
import { PoolChanges } from './dispatch/pool-changes.ts'
import { QueueRunner } from './dispatch/queue-runner.ts'
import { Recall } from './dispatch/recall.ts'
import { ReturnHandler } from './dispatch/return-handler.ts'
import { BalancerEmitter } from './events.ts'
import { headBoundsFor } from './head-bytes.ts'
import { Insight } from './insight/insight.ts'
import { Jobs } from './jobs/jobs.ts'
import { Lifetime } from './lifetime.ts'
import { ConfigListeners } from './listeners/config-listeners.ts'
import { ExtraSockets } from './listeners/extra-sockets.ts'
import { FreePorts } from './listeners/free-ports.ts'
import { ListenRequests } from './listeners/listen-requests.ts'
import { addressText, Listeners } from './listeners/listeners.ts'
import { WorkerServers } from './listeners/worker-servers.ts'
import type { OperationResult, Operations, ScaleChange } from './operations.ts'
import { readLoops, readStatus } from './read-status.ts'
import { ConfigAdoption, visitorOptions } from './reload/config-adoption.ts'
import { Operator } from './reload/operator.ts'
import { EmbeddedSessions } from './sessions/embedded-sessions.ts'
import { SessionHandover } from './sessions/session-handover.ts'
import type { Settings } from './settings.ts'
import type { BalancerStatus, LogStatuses, LoopReading } from './status.ts'
import { DesiredPool } from './supervisor/desired-pool.ts'
import { FIRST, FirstWorkers } from './supervisor/first-workers.ts'
import type { PoolWorker } from './supervisor/pool-worker.ts'
import { PrivateFolder } from './supervisor/private-sockets/private-folder.ts'
import { Supervisor } from './supervisor/supervisor.ts'
import { WorkerMessages } from './supervisor/worker-messages.ts'
import { makeForwardToken } from './supervisor/workers/shared-start.ts'
import { WorkerStarts } from './supervisor/workers/worker-starts.ts'
import { TLS_TICKETS, TlsTickets } from './tls-tickets/tls-tickets.ts'
import { chooseTransport, portableNotice } from './transport.ts'
import type { Startup } from './upgrade/startup.ts'
import { Upgrade } from './upgrade/upgrade.ts'
import { UPSTREAMS, Upstreams } from './upstreams/upstreams.ts'
import { RedisSharing } from './visitors/redis-sharing.ts'
import { VISITORS, VisitorTable, visitorTransfer } from './visitors/visitor-table.ts'
import type { SlotName } from './worker-name.ts'
import { followReports } from './worker-reports.ts'

/** A load balancer in this process; there can be one. */
export class Balancer implements Operations {
  readonly events = new BalancerEmitter()
  /** Sockets that go to a new primary beside the listeners. */
  readonly extraSockets = new ExtraSockets()
  /** What the status says of the log, which the owner of the balancer writes. */
  readLogStatus: () => LogStatuses = () => ({ log: null, accessLog: null })
  /** Set by the owner of the balancer: does it wait with its stop until load balancers have noticed? Then health checks fail. */
  isStopping: () => boolean = () => false
  readonly insight: Insight
  readonly metrics: MetricStore
  readonly loops = (): LoopReading[] => readLoops(this.activeConfig.pools.values(), this.supervisor)
  private readonly transport = chooseTransport(process.env)
  private readonly visitors: VisitorTable
  private readonly activeConfig: ActiveConfig
  private readonly acceptor: Acceptor
  private readonly supervisor: Supervisor
  private readonly folder: PrivateFolder
  private readonly counts: Counts
  private readonly records: PathRecords
  private readonly forwardToken = makeForwardToken()
  private readonly adoption: ConfigAdoption
  private readonly operator: Operator
  private readonly listeners: Listeners
  private readonly configListeners: ConfigListeners
  private readonly listenRequests: ListenRequests
  private readonly upgrades: Upgrade
  private readonly dispatcher: Dispatcher
  private readonly changes: PoolChanges
  private readonly sessions: EmbeddedSessions
  private readonly handover: SessionHandover
  private readonly jobs: Jobs
  private readonly upstreams: Upstreams
  private readonly lifetime: Lifetime

  /** `startup`: the sockets and the old primary that this process was started with; undefined: they were not read. */
  constructor(settings: Settings, startup?: Startup) {
    const startMessage = startup?.oldPrimaryLink?.startMessage
    const { events, transport } = this

    // ---- Sockets, and what outlives a reload ----
    this.records = new PathRecords(settings)
    this.listeners = new Listeners(startup?.sockets)
    const freePorts = new FreePorts(startMessage?.freePorts)
    const servers = new WorkerServers()
    this.acceptor = transport.openAcceptor(acceptorOptions(settings.limits, this.records, events))
    const pools = new Map<string, Pool>()
    this.visitors = new VisitorTable(visitorOptions(settings, pools, (pool, slot) => this.upstreams.serves(pool, slot)))
    const redisSharing = new RedisSharing({ visitors: this.visitors, events })
    this.sessions = new EmbeddedSessions(settings.sessions)

    const tlsTickets = new TlsTickets({
      rotationMs: () => this.settings.limits.ticketKeyRotationMs,
      handedOver: startMessage?.tlsTickets,
      onLearned: (entry) => this.upgrades.sendChange(TLS_TICKETS, entry),
    })

    // ---- The config in force ----
    this.activeConfig = new ActiveConfig(settings, {
      pools,
      forwardToken: this.forwardToken,
      visitors: this.visitors,
      tlsTickets,
      onPolicyFailed: (route, error) => events.emit('policyFailed', { route, error }),
      poolFor: (listener, first, all) => servers.poolFor(this.listeners.get(listener), first, all),
      listenerAddress: (listener) => this.listeners.get(listener),
      owners: transport.owners,
      desiredOf: (pool) => this.supervisor.desired.get(pool)?.workers ?? 0,
      records: this.records,
    })
    this.insight = new Insight({
      ...{ config: this.activeConfig, records: this.records, visitors: this.visitors },
      upstreams: () => this.upstreams,
      listenerText: (number) => {
        const bound = this.listeners.get(number)
        return bound && addressText(bound)
      },
    })
    this.handover = new SessionHandover(this.sessions, () => this.settings.sessions.url === undefined)
    this.folder = new PrivateFolder({
      isShared: () => this.settings.pools.some(({ uid, gid }) => uid !== undefined || gid !== undefined),
      onNotice: (message) => events.emit('folderNoticed', { message }),
    })

    // ---- The path of a connection ----
    const claims = new ClaimPoller((worker) => this.activeConfig.poolOf(worker))
    const queues = new QueueRunner(pools, claims)
    const path = { routes: this.activeConfig, claims, queues, recall: new Recall(), records: this.records }
    const health = { path: () => this.settings.healthPath, isReady: () => !this.isStopping() && this.lifetime.isServing() }
    const workers = () => this.supervisor.workers()
    this.configListeners = new ConfigListeners({ listeners: this.listeners, acceptor: this.acceptor, events, health, workers })
    const listener = (number: number) => this.listeners.get(number)?.asked
    const refusedClients = openRefusedClients({ events, listener, trustedProxies: () => this.settings.trustedProxies })
    this.dispatcher = new Dispatcher({ ...path, acceptor: this.acceptor, answers: this.configListeners.answers, refusedClients })
    this.acceptor.start(this.dispatcher)
    claims.start(this.dispatcher)
    queues.start(this.dispatcher)
    this.changes = new PoolChanges({ ...path, dispatcher: this.dispatcher, pools })

    // ---- The workers ----
    this.listenRequests = new ListenRequests({
      ...{ listeners: this.listeners, acceptor: this.acceptor, events, freePorts, servers },
      settings: () => this.settings,
      tlsTicketsFor: (worker) => tlsTickets.startFor(worker),
      onChanged: (worker, listeners) => this.changes.serversChanged(worker, listeners),
      onClosed: (worker) => this.changes.recallAll([worker]),
    })
    const starts = new WorkerStarts({
      transport,
      returns: new ReturnHandler({ ...path, acceptor: this.acceptor, dispatcher: this.dispatcher }),
      startData: (worker, listen) => ({
        ...this.configListeners.startFor(worker, this.folder.socketFor(worker.id, worker.settings), listen),
        upstream: this.upstreams.startFor(worker),
      }),
      forget: (worker) => this.folder.removeSocketsOf(worker.id),
      onListen: (worker, request) => this.listenRequests.answer(worker, request),
    })
    const messages = new WorkerMessages()
    this.upstreams = new Upstreams({
      ...{ events, messages, workers, limits: () => this.settings.limits, chance: Math.random },
      decisions: this.records.decisions,
    })
    this.supervisor = new Supervisor({
      limits: settings.limits,
      desired: DesiredPool.ofConfig(this.activeConfig.current, startMessage),
      ...{ pools, events, messages, starts },
      socketFault: (worker) => this.folder.faultOf(worker.id),
      privateSocket: (worker) => this.folder.servingSocketOf(worker.id),
      forwardToken: this.forwardToken,
      listenError: (pool) => this.listenRequests.errorOf(pool),
      onReady: (worker) => this.workerReady(worker),
      onDraining: (worker) => this.changes.workerDraining(worker),
      onGone: (worker) => this.workerGone(worker),
      onFailed: (error) => this.lifetime.fail(error),
      chance: Math.random,
    })
    this.upstreams.configure(settings.pools)
    this.counts = new Counts({ events, messages, supervisor: this.supervisor })
    this.metrics = this.counts.metrics
    const firsts = new FirstWorkers({ events, messages, supervisor: this.supervisor }, startMessage !== undefined)
    firsts.subscribe((entry) => this.upgrades.sendChange(FIRST, entry))
    followReports(messages, {
      ...{ pools, tlsTickets, refusedClients, visitors: this.visitors, handover: this.handover },
      cutConnections: this.records.cutConnections,
      onHeaderLimit: (bytes) => this.settings.limits.maxHeadBytes ?? this.acceptor.allowHeads(headBoundsFor(bytes)),
    })
    this.jobs = new Jobs({ events, pools: settings.pools, runs: this.supervisor, reload: (pool) => this.operator.reloadAtItsTime(pool) })

    // ---- Operations ----
    const { acceptor, activeConfig: config, changes, dispatcher, extraSockets, folder, jobs, listeners, listenRequests } = this
    const { configListeners, sessions, supervisor, upstreams, visitors } = this
    this.adoption = new ConfigAdoption({
      ...{ config, configListeners, supervisor, changes, sessions, visitors, redisSharing, jobs, upstreams, refusedClients },
    })
    this.operator = new Operator({ supervisor, events, config: this.adoption, jobs, upstreams })
    this.upgrades = new Upgrade(
      {
        ...path,
        ...{ transport, acceptor, events, extraSockets, listeners, supervisor, pools, dispatcher, changes, freePorts, tlsTickets },
        transfers: [visitorTransfer(visitors), this.handover, firsts, jobs, tlsTickets, upstreams],
        settings: () => this.settings,
        drain: () => this.lifetime.stopSoon('upgrade'),
        fail: (error) => this.lifetime.fail(error),
      },
      startup,
    )
    const { upgrades } = this
    const parts = {
      config,
      events,
      acceptor,
      listeners,
      listenRequests,
      supervisor,
      folder,
      claims,
      queues,
      sessions,
      redisSharing,
      jobs,
      upstreams,
    }
    this.lifetime = new Lifetime({ ...parts, configListeners, upgrades })
    dispatcher.others = upgrades
    upstreams.subscribe((entry) => this.upgrades.sendChange(UPSTREAMS, entry))
    visitors.subscribe((entry) => upstreams.onLearned(entry))
    visitors.subscribe((entry) => this.upgrades.sendChange(VISITORS, entry))
  }

  /**
   * Starts the workers. Resolves when every pool has a ready worker (in a new primary: all of them) and connections are accepted. Rejects with a BalancerError
   * after everything was stopped.
   */
  async start(): Promise<void> {
    if (this.transport.kind === 'portable') this.events.emit('portableChosen', { message: portableNotice(process.env) })
    await this.lifetime.start()
  }

  stop(reason: string): Promise<void> {
    return this.lifetime.stop(reason)
  }

  stopNow(): void {
    this.supervisor.stopNow()
  }

  // ---- Workers come and go ----

  private workerReady(worker: PoolWorker): void {
    this.upstreams.introduce(worker, () => this.visitors.entries())
    this.listenRequests.admit(worker)
    this.changes.workerReady(worker)
    void this.lifetime.accept()
  }

  private workerGone(worker: PoolWorker): void {
    const pool = this.activeConfig.poolOf(worker)
    this.listenRequests.forget(worker)
    this.handover.forget(worker)
    const takenBack = this.changes.workerGone(worker)
    this.folder.removeSocketsOf(worker.id)
    pool.recordGone(worker, takenBack)
    this.counts.recordGone(worker)
    this.adoption.removeIfEmpty(pool)
    void this.lifetime.accept()
  }

  // ---- Operations ----

  reload(settings: Settings | undefined, pool?: string): Promise<OperationResult> {
    return this.operator.reload(settings ?? this.settings, pool)
  }

  rollback(): Promise<OperationResult> {
    return this.operator.rollback()
  }

  scale(pool: string, change: ScaleChange): Promise<OperationResult> {
    return this.operator.scale(pool, change)
  }

  drainSlot(name: SlotName): Promise<OperationResult> {
    return this.operator.drainSlot(name)
  }

  restartSlot(name: SlotName): Promise<OperationResult> {
    return this.operator.restartSlot(name)
  }

  upgrade(): Promise<OperationResult> {
    return this.operator.alone('upgrade', undefined, async () => ({ message: await this.upgrades.upgrade() }))
  }

  private get settings(): Settings {
    return this.activeConfig.current.settings
  }

  status(): BalancerStatus {
    const { acceptor, activeConfig: config, counts, jobs, listeners, records, supervisor, transport, upstreams } = this
    return readStatus({
      ...{ acceptor, config, counts, jobs, records, supervisor, upstreams },
      channel: transport.kind,
      ...listeners.shown,
      visitors: this.visitors.status(),
      sessions: this.handover.isWanted() ? this.sessions.status() : null,
      passed: this.upgrades.passed,
      logs: this.readLogStatus(),
    })
  }
}
