// What the bench can measure, a row each.

export interface ModeRow {
  readonly name: string
  /** For the help. */
  readonly about: string
  /** Usual values of the options. */
  readonly seconds: number
  readonly rounds: number
  readonly lateMs: number
}

export const modes = [
  {
    name: 'mixed',
    about: 'latencies instead: light requests beside some that block their worker, on the same connections',
    seconds: 10,
    rounds: 3,
    lateMs: 5,
  },
  {
    name: 'queueing',
    about: 'latencies instead: requests that block their worker, against one central queue on the same trace',
    seconds: 5,
    rounds: 3,
    lateMs: 3,
  },
  {
    name: 'pinned',
    about: 'latencies instead: the slowest light request while one worker of two is blocked',
    seconds: 10,
    rounds: 3,
    lateMs: 10,
  },
  {
    name: 'saturated',
    about: 'requests a second instead: more clients than two workers can serve, with handlers that burn CPU',
    seconds: 12,
    rounds: 3,
    lateMs: 0,
  },
  {
    name: 'reload',
    about: 'failed requests instead: clients ask while one reload of the workers follows the other',
    seconds: 30,
    rounds: 1,
    lateMs: 0,
  },
  {
    name: 'start',
    about: 'the time from the command to the first answer instead, and the memory of the primary',
    seconds: 1,
    rounds: 15,
    lateMs: 0,
  },
  {
    name: 'sessions',
    about: 'requests with a session instead: read, or read and written, beside connect-redis',
    seconds: 5,
    rounds: 3,
    lateMs: 0,
  },
  {
    name: 'logs',
    about: "the cost of a line of output instead: workers print into log files, beside PM2's",
    seconds: 1,
    rounds: 3,
    lateMs: 0,
  },
  {
    name: 'scrapes',
    about: 'how long a scrape of 64 workers takes instead, and what the requests meanwhile notice of it',
    seconds: 20,
    rounds: 5,
    lateMs: 0,
  },
  {
    name: 'observing',
    about: 'CPU time with access log, metrics, decisions, dashboard and health checks instead, over that without',
    seconds: 5,
    rounds: 5,
    lateMs: 0,
  },
  {
    name: 'tls',
    about: 'the cost of TLS instead: a kept-alive request, a full handshake, a resumed one',
    seconds: 1,
    rounds: 5,
    lateMs: 0,
  },
  {
    name: 'upstream',
    about: 'the cost of a request to servers that are no workers instead, beside nginx, HAProxy and http-proxy in front of the same two',
    seconds: 4,
    rounds: 5,
    lateMs: 0,
  },
  {
    name: 'grpc',
    about: 'calls over one connection that block their worker instead: four workers against one',
    seconds: 1,
    rounds: 3,
    lateMs: 0,
  },
  {
    name: 'http2',
    about: 'the cost of HTTP/2 instead: a request over one connection, and over 64; needs h2load',
    seconds: 1,
    rounds: 5,
    lateMs: 0,
  },
  { name: 'micro', about: 'the cost of a decision instead: head, route and pick, in one process', seconds: 1, rounds: 5, lateMs: 0 },
] as const satisfies readonly ModeRow[]

/** What is measured. */
export type Mode = 'costs' | (typeof modes)[number]['name']

/** Without an option that names another one. */
const COSTS: Omit<ModeRow, 'about'> = { name: 'costs', seconds: 5, rounds: 5, lateMs: 0 }

/** The usual values of a mode. */
export function usualOf(mode: Mode): Omit<ModeRow, 'about'> {
  return modes.find(({ name }) => name === mode) ?? COSTS
}
