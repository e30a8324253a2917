// Requests that the primary answers itself, by their listener: health checks, HTTP-01 challenges, redirects to https, and plain HTTP on a TLS listener.

import type { RequestHead } from '@switchyard/routing'
import type { ListenAddress } from '../listener-settings.ts'
import type { AcmeChallenges } from './acme-challenges.ts'
import type { HealthAnswers } from './health-answers.ts'
import { plainAnswer } from './plain-answer.ts'

type ListenerOptions = Pick<ListenAddress, 'tls' | 'redirectToHttps' | 'acmeFolder'>

/** A target in origin form, without bytes that a header field can't have. */
const TARGET = /^\/[\x21-\x7e]*$/

const NO_TLS = plainAnswer('400 Bad Request', 'This port speaks HTTPS, and the request came as plain HTTP. Use https:// in the address.\n')
const NO_HOST = plainAnswer('400 Bad Request', 'The request names no host, so it cannot be redirected to https.\n')

const PHRASES = { 301: 'Moved Permanently', 302: 'Found', 307: 'Temporary Redirect', 308: 'Permanent Redirect' }

export interface ListenerAnswersOptions {
  readonly health: HealthAnswers
  /** The options of a listener by its number. */
  readonly listener: (number: number) => ListenerOptions | undefined
}

export class ListenerAnswers {
  private readonly options: ListenerAnswersOptions
  private challenges: AcmeChallenges | undefined
  private isOn = false

  constructor(options: ListenerAnswersOptions) {
    this.options = options
  }

  /** Loads what the options of these listeners need. */
  async load(listeners: readonly ListenerOptions[]): Promise<void> {
    if (this.challenges !== undefined || !listeners.some(({ acmeFolder }) => acmeFolder !== undefined)) return
    const { AcmeChallenges } = await import('./acme-challenges.ts')
    this.challenges = new AcmeChallenges()
  }

  /** Answers by these options from now on, which were loaded. Without such options a connection costs nothing here. */
  configure(listeners: readonly ListenerOptions[]): void {
    this.isOn = listeners.some(({ tls, redirectToHttps, acmeFolder }) => (tls ?? redirectToHttps ?? acmeFolder) !== undefined)
  }

  /** The whole response; undefined: the request goes to a worker. */
  answer(head: RequestHead, listener: number): Buffer | undefined {
    const answer = this.options.health.answer(head)
    if (answer !== undefined || !this.isOn || head.method === undefined) return answer
    const options = this.options.listener(listener)
    if (options === undefined) return undefined
    if (options.tls !== undefined) return NO_TLS
    const { acmeFolder, redirectToHttps } = options
    const challenge = acmeFolder === undefined ? undefined : this.challenges?.answer(head, acmeFolder)
    return challenge ?? (redirectToHttps && redirect(head, redirectToHttps))
  }
}

function redirect(head: RequestHead, { port, status }: NonNullable<ListenAddress['redirectToHttps']>): Buffer {
  const { host, target = '' } = head
  if (host === undefined || !head.namesOneHost || !TARGET.test(target)) return NO_HOST
  const location = `https://${host}${port === 443 ? '' : `:${port}`}${target}`
  return plainAnswer(`${status} ${PHRASES[status]}`, `${location}\n`, [`Location: ${location}`])
}
