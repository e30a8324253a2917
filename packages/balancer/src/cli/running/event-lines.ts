// The text of each event, for the log and for clients that wait for an operation.

import type { ProxyHeaderFault } from '@switchyard/handoff'
import type { BalancerEvents, Seat } from '../../events.ts'
import { APP_STOP_SIGNALS } from '../../settings.ts'
import type { JobExit } from '../../status.ts'
import { messageOf } from '../../thrown-error.ts'
import { slotName as nameOf } from '../../worker-name.ts'
import { counted, draining, duration } from '../format.ts'

/** Names of a certificate that are logged. */
const MAX_NAMES = 3

/** `text` is for people, `fields` for machines. */
export interface EventLine {
  level: 'debug' | 'info' | 'warn' | 'error'
  fields: object
  text: string
}

/** Other events are logged elsewhere: `failed` by the command, `workerOutput` and `requestsLogged` unchanged, `policyFailed` at a limited rate. */
type LoggedEvent = Exclude<keyof BalancerEvents, 'failed' | 'workerOutput' | 'requestsLogged' | 'policyFailed'>

type Lines = { readonly [Name in LoggedEvent]: (...payload: BalancerEvents[Name]) => EventLine }

const PROXY_HEADER_FAULTS: Readonly<Record<ProxyHeaderFault, string>> = {
  'proxy-header-missing':
    "without a PROXY protocol header: set the proxy to send one, or 'proxyProtocol.required' to false if this peer also connects without",
  'proxy-header-invalid': 'with a malformed PROXY protocol header',
  'proxy-header-untrusted': "with a PROXY protocol header: the peer is not in 'proxyProtocol.from', so it may not name other addresses",
}

export const eventLines: Lines = {
  listening: ({ address }) => info({ address }, `listening on ${address}`),
  listenerClosed: ({ address }) => info({ address }, `no longer listening on ${address}`),
  portableChosen: ({ message }) => warn({ channel: 'portable' }, message),
  workerStarted: (worker) => ({
    level: 'debug',
    fields: fields(worker),
    text: `${nameOf(worker)} started (pid ${worker.pid})`,
  }),
  workerReady: ({ startMs, ...worker }) =>
    info({ ...fields(worker), startMs }, `${nameOf(worker)} ready after ${Math.round(startMs)} ms (pid ${worker.pid})`),
  workerExited: (exit) => {
    const { code, signal, restartInMs, expected } = exit
    return { level: expected ? 'info' : 'warn', fields: { ...fields(exit), code, signal, restartInMs }, text: describeExit(exit) }
  },
  jobStarted: (worker) => info(fields(worker), `${nameOf(worker)} started by its schedule (pid ${worker.pid})`),
  jobEnded: ({ exit, ...worker }) => ({
    level: exit.isGood ? 'info' : 'warn',
    fields: { ...fields(worker), ...exit },
    text: `${nameOf(worker)} ${describeJobExit(exit)} (pid ${worker.pid})`,
  }),
  jobSkipped: ({ pool, atMs, reason }) =>
    warn({ pool, atMs, reason }, `${pool} was not started at ${new Date(atMs).toISOString()}: ${reason}`),
  workerNotStarted: ({ message, restartInMs, ...worker }) =>
    warn(
      { ...worker, restartInMs },
      `${nameOf(worker)} could not be started: ${message}${restartInMs === undefined ? '' : `; next try in ${Math.round(restartInMs)} ms`}`,
    ),
  workerNoticed: ({ level, message, ...worker }) => ({ level, fields: fields(worker), text: `${nameOf(worker)}: ${message}` }),
  workerRetiring: ({ reason, cause: _, isOneOff = false, ...worker }) =>
    info(
      { ...fields(worker), reason },
      `${nameOf(worker)} ${isOneOff ? 'is told to stop' : 'will be replaced'}: ${reason} (pid ${worker.pid})`,
    ),
  workerDraining: ({ connections, inFlight, leftMs, ...worker }) =>
    info(
      { ...fields(worker), connections, inFlight, leftMs },
      `${nameOf(worker)} is draining: ${draining(connections, inFlight, leftMs)} (pid ${worker.pid})`,
    ),
  workerHung: ({ busyMs, ...worker }) =>
    warn(
      { ...fields(worker), busyMs },
      `${nameOf(worker)} hangs: its event loop has not turned for ${duration(busyMs)} (pid ${worker.pid})`,
    ),
  workerStack: ({ stack, ...worker }) =>
    warn(
      { ...fields(worker), stack },
      stack === undefined ? `${nameOf(worker)} hangs; its stack can't be read` : `${nameOf(worker)} hangs here:\n${stack}`,
    ),
  workerEjected: ({ reason, forMs, ...worker }) =>
    warn(
      { ...fields(worker), reason, forMs },
      `${nameOf(worker)} gets no connections for ${duration(forMs)}: ${reason} (pid ${worker.pid})`,
    ),
  seatBroken: ({ pool, slot, failures }) => ({
    level: 'error',
    fields: { pool, slot, failures },
    text: `${pool}/${slot} is broken: it failed ${failures} times and is not started again until 'balancer restart ${pool}/${slot}'`,
  }),
  outageBegan: ({ pool, retryMs, lastWords }) => ({
    level: 'error',
    fields: { pool, retryMs },
    text: `${pool} has no workers: each of them has failed too often (${lastWords}). The balancer tries to start one every ${duration(retryMs)}; when one is ready, it starts the others`,
  }),
  outageEnded: ({ pool, afterMs }) => info({ pool, afterMs }, `${pool} serves again, after ${duration(afterMs)}`),
  certificateRenewed: ({ address, path, names, validToMs }) =>
    info(
      { address, path, names, validToMs },
      `new connections on ${address} get the certificate in ${path} (${shortList(names)}), valid until ${dayOf(validToMs)}`,
    ),
  certificatesRefused: ({ address, faults }) => ({
    level: 'error',
    fields: { address, faults },
    text: `changed certificates of ${address} are not used, and the ones from before stay: ${faults.join('; ')}`,
  }),
  certificateExpiring: ({ address, path, names, validToMs }) =>
    warn(
      { address, path, names, validToMs },
      `the certificate of ${address} in ${path} (${shortList(names)}) expires on ${dayOf(validToMs)}: renew it, the balancer reads it as soon as the file changes`,
    ),
  upstreamNoticed: ({ pool, level, message }) => ({ level, fields: { pool }, text: `${pool}: ${message}` }),
  folderNoticed: ({ message }) => warn({}, message),
  scaled: ({ pool, from, to, reason }) => info({ pool, from, to, reason }, `${pool} scales from ${from} to ${workers(to)}: ${reason}`),
  operationStarted: ({ name, pool }) => info({ operation: name, pool }, `${name}${pool === undefined ? '' : ` of ${pool}`} begins`),
  operationProgressed: ({ name, message }) => info({ operation: name }, `${name}: ${message}`),
  operationEnded: ({ name, message, error }) =>
    error === undefined
      ? info({ operation: name }, `${name}: ${message}`)
      : failure({ operation: name, err: error }, `${name} failed: ${message}`),
  ready: ({ workers: count }) => ({ level: 'debug', fields: { workers: count }, text: `connections are accepted, with ${workers(count)}` }),
  proxyHeaderRefused: ({ reason, address = 'a unix socket', more }) =>
    warn(
      { reason, address, more },
      `refused a connection from ${address} ${PROXY_HEADER_FAULTS[reason]}${more === 0 ? '' : `; ${more} more since the last such line`}`,
    ),
  clientRefused: ({ address, reason, cuts, forMs, more }) =>
    warn(
      { address, reason, cuts, forMs, more },
      `refuses new connections of ${address} for ${forMs / 1000} s: ${cuts} of its HTTP/2 connections were cut (${reason})${more === 0 ? '' : `; ${more} more clients since the last such line`}; 'balancer errors' lists them`,
    ),
  acceptPaused: ({ reason }) => warn({ reason }, `no connections are accepted for now: ${reason}`),
  acceptResumed: () => info({}, 'connections are accepted again'),
  sharingFailed: ({ error }) => warn({ err: error }, `learned visitors are not shared with other balancers: ${messageOf(error)}`),
  adviceGiven: ({ kind, subject, seen, advice, config }) =>
    warn(
      { advice: kind, subject, config },
      `advice on ${subject}: ${seen} ${advice}${config === null ? '' : " 'balancer advise' prints the config to paste."}`,
    ),
  draining: ({ reason, timeoutMs }) => info({ reason, timeoutMs }, `draining for at most ${timeoutMs / 1000} s: ${reason}`),
  // `successor` keeps its name: programs read the JSON log.
  handedOver: ({ pid }) => info({ successor: pid }, `the new primary serves (pid ${pid}); this primary finishes its requests`),
  stopped: () => info({}, 'stopped'),
}

/** The first names of a list. */
function shortList(names: readonly string[]): string {
  return names.length > MAX_NAMES ? `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more` : names.join(', ')
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function workers(count: number): string {
  return counted(count, 'worker')
}

function fields({ pool, slot, generation, pid, proxy }: Seat) {
  return { pool, slot, generation, pid, ...(proxy === true && { proxy }) }
}

function info(given: object, text: string): EventLine {
  return { level: 'info', fields: given, text }
}

function warn(given: object, text: string): EventLine {
  return { level: 'warn', fields: given, text }
}

function failure(given: object, text: string): EventLine {
  return { level: 'error', fields: given, text }
}

function describeJobExit({ startedMs, endedMs, code, signal }: JobExit): string {
  if (code === null && signal === null) return 'was never started'
  return `${signal === null ? `has ended with code ${code}` : `was ended by ${signal}`} after ${duration(endedMs - startedMs)}`
}

function describeExit(exit: BalancerEvents['workerExited'][0]): string {
  const { pid, signal, expected, everReady, isFinal, restartInMs } = exit
  const when = expected || everReady ? '' : ' before it was ready'
  const next = isFinal
    ? '; it is not started again (stopExitCodes)'
    : restartInMs === undefined
      ? ''
      : `; restarts in ${Math.round(restartInMs)} ms`
  // A kill by the balancer is expected, and its reason was logged before.
  const cause = signal === 'SIGKILL' && !expected ? ', which the balancer did not send: probably the kernel, because memory ran out' : ''
  return `${nameOf(exit)} ${describeExitCode(exit)}${when} (pid ${pid})${cause}${next}`
}

/** An expected exit by a stop signal counts as a clean stop. */
function describeExitCode({ code, signal, expected, isFinal }: BalancerEvents['workerExited'][0]): string {
  if (expected && !isFinal && (code === 0 || APP_STOP_SIGNALS.some((name) => name === signal))) return 'has stopped'
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`
}
