// Tells the primary which upstream server each request was sent to, among which, while decisions are read. Otherwise it costs a test of one field.

import type { IncomingMessage } from 'node:http'
import type { Runtime } from '../../runtime.ts'
import { MAX_CHOICE_CANDIDATES, MAX_CHOICE_KEY, MAX_CHOICES, type ServerChoice } from '../../upstream-messages.ts'
import type { UpstreamPolicies } from '../servers/upstream-policies.ts'
import type { UpstreamServer } from '../servers/upstream-server.ts'

const FLUSH_MS = 100

export interface ChoiceReportsOptions {
  readonly runtime: Pick<Runtime, 'send'>
  readonly policies: UpstreamPolicies
  /** Those in service. */
  readonly servers: () => readonly UpstreamServer[]
}

export class ChoiceReports {
  /** Does the primary want them? */
  isWanted = false
  private readonly options: ChoiceReportsOptions
  private choices: ServerChoice[] = []

  constructor(options: ChoiceReportsOptions) {
    this.options = options
  }

  /** The request is sent to this server, and counts as in flight. */
  record(server: UpstreamServer, request: IncomingMessage): void {
    if (!this.isWanted || this.choices.length >= MAX_CHOICES) return
    const { policies, servers } = this.options
    const { policy, head, route } = policies.of(request)
    const key = policy.key?.(head)
    const candidates = servers().filter(({ state }) => state === 'up')
    if (this.choices.length === 0) setTimeout(() => this.flush(), FLUSH_MS).unref()
    this.choices.push({
      ...{ atMs: Date.now(), route, policy: policy.name, slot: server.slot, generation: server.generation },
      ...(key !== undefined && key.value.length <= MAX_CHOICE_KEY && { key: { kind: key.kind, value: key.value } }),
      candidates: candidates.slice(0, MAX_CHOICE_CANDIDATES).map((candidate) => ({
        ...{ slot: candidate.slot, generation: candidate.generation, weight: candidate.weight, latencyMs: candidate.latencyMs },
        // As the policy saw it.
        inFlight: candidate.inFlight - (candidate === server ? 1 : 0),
      })),
    })
  }

  private flush(): void {
    const { choices } = this
    this.choices = []
    this.options.runtime.send({ switchyard: 'choices', choices })
  }
}
