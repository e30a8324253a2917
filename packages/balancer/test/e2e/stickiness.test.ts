// Sticky policies over real connections: by the hash of a key, and by the balancer's ticket.

import { assert, suite } from '../../../../test/suite.ts'
import { type Answer, exchange, get, json, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

interface AppAnswer {
  slot: number
  pid: number
}

const KEYS = 1_000
const test = suite('stickiness', { timeoutMs: 120_000 })

async function slotsOf(balancer: RunningBalancer, keys: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const rest = [...keys]
  // A few at a time: more load would break stickiness and move keys.
  const client = async (): Promise<void> => {
    for (let key = rest.pop(); key !== undefined; key = rest.pop()) {
      found.set(key, json<AppAnswer>(await exchange(balancer.port, get('/', { Cookie: `other=1; session=${key}` }))).slot)
    }
  }
  await Promise.all([client(), client(), client(), client()])
  return found
}

test('killing one of 8 workers moves only its own keys, and its replacement gets them back', async () => {
  const gate = new RequestHold()
  gate.release()
  const balancer = await startBalancer({
    config: {
      app: 'gated-app.mjs',
      pools: { web: { workers: 8 } },
      routes: [{ path: '/*', policy: { sticky: { by: { cookie: 'session' } } } }],
      restartDelayMs: 20,
      startTimeoutMs: 600_000,
    },
    env: { GATE: gate.file },
  })
  await balancer.untilAllReady(20_000)
  const keys = Array.from({ length: KEYS }, (_, index) => `key-${index}`)
  const before = await slotsOf(balancer, keys)
  const shares = new Map<number, number>()
  for (const slot of before.values()) shares.set(slot, (shares.get(slot) ?? 0) + 1)
  assert.is(shares.size, 8)
  for (const share of shares.values()) assert.ok(share > KEYS / 8 / 3 && share < (KEYS / 8) * 2, `a share of ${share}`)
  assert.equal(await slotsOf(balancer, keys), before)

  const killed = 3
  // The test decides when the replacement starts.
  gate.hold()
  const { pools } = await balancer.status()
  process.kill(pools[0]?.workers.find(({ slot }) => slot === killed)?.pid as number, 'SIGKILL')
  await balancer.untilStatus((status) => status.pools[0]?.ready === 7, 'seven ready')
  const during = await slotsOf(balancer, keys)
  const { pools: poolsNow, sticky } = await balancer.status()
  assert.is(poolsNow[0]?.ready, 7)
  assert.is(sticky.find(({ route, outcome }) => route === '/*' && outcome === 'gone')?.count, shares.get(killed))
  for (const key of keys) {
    if (before.get(key) === killed) assert.is.not(during.get(key), killed)
    else assert.is(during.get(key), before.get(key), `${key} moved from slot ${before.get(key)}, which is alive`)
  }
  const moved = keys.filter((key) => before.get(key) === killed).map((key) => during.get(key))
  assert.ok(new Set(moved).size >= 4, 'the keys are distributed over the other workers')

  gate.release()
  await balancer.untilAllReady()
  assert.equal(await slotsOf(balancer, keys), before)
  assert.is(await balancer.stop(), 0)
})

function cookiesOf(answer: Answer): readonly string[] {
  return answer.headers.get('set-cookie') ?? []
}

/** The cookie of the ticket as it was set, and as `name=value`. */
function ticketOf(answer: Answer): { whole: string; pair: string } | undefined {
  const whole = cookiesOf(answer).find((cookie) => !/^(one|two)=/.test(cookie))
  return whole === undefined ? undefined : { whole, pair: whole.split(';')[0] as string }
}

function ticketed(balancer: RunningBalancer, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return exchange(balancer.port, get(path, headers))
}

let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: { web: { workers: 4 } },
      routes: [
        { path: '/plain/*', policy: 'round-robin' },
        { path: '/keyed/*', policy: { sticky: { by: { header: 'x-key' } } } },
        { path: '/*', policy: { sticky: { by: 'ticket', otherwise: 'round-robin' } } },
      ],
      restartDelayMs: 20,
      trustedProxies: ['127.0.0.1'],
    },
  })
  await balancer.untilAllReady()
})

test.after(async () => assert.is(await balancer.stop(), 0))

test('a key keeps its worker, however fast its requests follow each other', async () => {
  const slots = new Set<number>()
  for (let round = 0; round < 300; round++) {
    slots.add(json<AppAnswer>(await exchange(balancer.port, get('/keyed/', { 'X-Key': 'one' }))).slot)
  }
  assert.is(slots.size, 1)
})

test('a ticket is set once, and later requests with it reach its slot', async () => {
  const seen = new Set<number>()
  // Round robin, except when a loop is busy at that moment.
  for (let visitor = 0; visitor < 8 || (visitor < 100 && seen.size < 4); visitor++) {
    const first = await ticketed(balancer, '/')
    const { slot } = json<AppAnswer>(first)
    seen.add(slot)
    const ticket = ticketOf(first)
    assert.ok(ticket, 'a ticket')
    assert.match(ticket.whole, /; HttpOnly/)
    assert.match(ticket.whole, /; SameSite=Lax/)
    assert.match(ticket.whole, /; Path=\//)
    assert.match(ticket.whole, /; Max-Age=\d+/)
    assert.not.match(ticket.whole, /Secure/)
    for (let visit = 0; visit < 5; visit++) {
      const next = await ticketed(balancer, '/', { Cookie: `a=b; ${ticket.pair}` })
      assert.is(json<AppAnswer>(next).slot, slot)
      assert.equal(cookiesOf(next), [])
    }
  }
  assert.is(seen.size, 4)
  assert.equal(cookiesOf(await ticketed(balancer, '/plain/')), [])
})

test('behind TLS, as a trusted proxy says, the ticket is Secure', async () => {
  assert.match(ticketOf(await ticketed(balancer, '/', { 'X-Forwarded-Proto': 'https' }))?.whole ?? '', /; Secure/)
  assert.not.match(ticketOf(await ticketed(balancer, '/', { 'X-Forwarded-Proto': 'http' }))?.whole ?? '', /Secure/)
})

test('an altered, truncated or invented ticket is ignored, and a new one is set', async () => {
  const { pair } = ticketOf(await ticketed(balancer, '/')) ?? { pair: '' }
  const [name, value] = pair.split('=') as [string, string]
  const flipped = Buffer.from(value, 'base64url')
  // Bytes 2 and 3 are the slot.
  flipped[3] = (flipped[3] as number) ^ 1
  const slots = new Set<number>()
  for (const forged of [
    flipped.toString('base64url'),
    value.slice(0, -1),
    `${value}A`,
    'garbage',
    '%00',
    '',
    'A'.repeat(36),
    'x'.repeat(3_000),
  ]) {
    for (let turn = 0; turn < 2 || (turn < 100 && slots.size < 4); turn++) {
      const answer = await ticketed(balancer, '/', { Cookie: `${name}=${forged}` })
      assert.is(answer.status, 200)
      slots.add(json<AppAnswer>(answer).slot)
      assert.ok(ticketOf(answer), `no new ticket after ${forged.slice(0, 40)}`)
    }
  }
  assert.is(slots.size, 4, 'picked as requests without a ticket')
})

const ownCookies: readonly [path: string, status: number, cookies: readonly string[]][] = [
  ['/cookies/set', 200, ['one=1']],
  ['/cookies/array', 200, ['one=1', 'two=2; Path=/']],
  ['/cookies/head', 201, ['one=1', 'two=2']],
  ['/cookies/raw', 201, ['one=1', 'two=2']],
]

for (const [path, status, cookies] of ownCookies) {
  test(`the app's own cookies are kept: ${path}`, async () => {
    const answer = await ticketed(balancer, path)
    assert.is(answer.status, status)
    assert.equal(
      cookiesOf(answer).filter((cookie) => cookie !== ticketOf(answer)?.whole),
      cookies,
    )
    assert.ok(ticketOf(answer), 'the ticket is set too')
    if (status === 201) assert.equal(answer.headers.get('x-app'), ['yes'])
    const again = await ticketed(balancer, path, { Cookie: ticketOf(answer)?.pair ?? '' })
    assert.equal(cookiesOf(again), cookies)
  })
}

test('a connection with several requests gets one ticket, and none if the client has one', async () => {
  const client = new RawClient(balancer.port)
  const first = await client.write(get('/', { Connection: 'keep-alive' })).answer()
  const ticket = ticketOf(first)
  assert.ok(ticket)
  const second = await client.write(get('/', { Connection: 'keep-alive', Cookie: ticket.pair })).answer()
  assert.equal(cookiesOf(second), [])
  client.destroy()
})

test('the ticket of a killed worker leads to its replacement in the same slot', async () => {
  const first = await ticketed(balancer, '/')
  const { slot, pid } = json<AppAnswer>(first)
  process.kill(pid, 'SIGKILL')
  await balancer.untilLine((line) => line.pid === pid && /ended by SIGKILL/.test(line.msg), 'the exit')
  await balancer.untilAllReady()
  const again = json<AppAnswer>(await ticketed(balancer, '/', { Cookie: ticketOf(first)?.pair ?? '' }))
  assert.is(again.slot, slot)
  assert.is.not(again.pid, pid)
})

test.run()
