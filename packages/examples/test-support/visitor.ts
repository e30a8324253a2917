// A visitor of an example: sends the cookies that it got, and one request after the other.

import { type Answer, ask, type Question, type RunningExample } from './start.ts'

export class Visitor {
  private readonly example: RunningExample
  private readonly jar = new Map<string, string>()

  /** `cookie`: the cookies of another visitor. */
  constructor(example: RunningExample, cookie = '') {
    this.example = example
    for (const pair of cookie.split('; ').filter(Boolean)) this.keep(pair)
  }

  /** As in a Cookie field; empty when there is none. */
  get cookie(): string {
    return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  get(path: string): Promise<Answer> {
    return this.ask(path)
  }

  post(path: string, body: unknown = {}): Promise<Answer> {
    return this.ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  }

  /** The same visitor at another balancer. */
  at(example: RunningExample): Visitor {
    return new Visitor(example, this.cookie)
  }

  private async ask(path: string, question: Question = {}): Promise<Answer> {
    const { cookie } = this
    const answer = await ask(this.example, path, { ...question, headers: { ...question.headers, ...(cookie === '' ? {} : { cookie }) } })
    for (const field of [answer.headers['set-cookie'] ?? []].flat()) this.keep(field)
    return answer
  }

  private keep(field: string): void {
    const [pair = '', ...attributes] = field.split(';')
    const equals = pair.indexOf('=')
    const isOver = attributes.some((attribute) => attribute.trim() === 'Max-Age=0')
    if (isOver) this.jar.delete(pair.slice(0, equals))
    else this.jar.set(pair.slice(0, equals), pair.slice(equals + 1))
  }
}
