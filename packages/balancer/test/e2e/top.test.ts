// `balancer top` and `balancer status --watch` in a real terminal: screens, keys, sizes, and what they leave behind.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { TmuxTerminal } from './support/tmux-terminal.ts'

const test = suite('top', { timeoutMs: 60_000 })

let balancer: RunningBalancer
let terminal: TmuxTerminal

test.before(async () => {
  balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } } } })
  await balancer.untilAllReady()
  terminal = new TmuxTerminal(80, 24)
})

test.after(async () => {
  if (balancer.child.process.exitCode === null && balancer.child.process.signalCode === null) await balancer.stop()
})

/** Numbers, sparklines and the widths of gaps differ from run to run. */
function steady(lines: readonly string[]): string[] {
  return lines.map(
    (line) =>
      line[0] +
      line
        .slice(1)
        .replace(/[▁▂▃▄▅▆▇█]+/g, '~')
        .replace(/\d+(\.\d+)?/g, '0')
        .replace(/ +/g, ' '),
  )
}

test('the screen at 80 x 24, with the requests of this moment', async () => {
  await terminal.run(balancer, 'top --delay 0.2')
  await terminal.untilShown(/Healthy: all 2 workers are ready\./)
  let isOver = false
  const traffic = (async () => {
    while (!isOver) await exchange(balancer.port, get('/a'))
  })()
  await terminal.untilShown(/req\/s [1-9].* p99 [\d.]+ ms /)
  await terminal.untilShown(/^> web\/0 .* ms .*\n.*web\/1 .* ms /m)
  const { lines } = terminal
  isOver = true
  await traffic
  assert.equal(lines.length, 24)
  assert.match(lines[0] as string, /^balancer-e2e-\w+ {2}pid \d+ {2}up \d+ s {2}version \S+ {2}http/)
  const worker = (mark: string) => `${mark} web/0 ready 0 ~ 0 ms ~ 0 % ~ 0 ~ 0 MiB`
  assert.equal(steady(lines.slice(4, 7)), ['v WORKER STATE REQ/S P0 LOOP QUEUE MEMORY', worker('>'), worker(' ')])
  assert.is(lines[8], '-- log')
  assert.match(lines.slice(9, 23).join('\n'), /INFO: ready: http/)
  assert.is(lines[23], 'd drain, r restart, R reload, +/- scale, s sort, t routes, l log, ? help, q quit')
})

test('keys: an operation asks first, and its result is shown', async () => {
  terminal.press('Down')
  await terminal.untilShown(/^> web\/1 /m)
  terminal.press('d')
  await terminal.untilShown(/^Drain web\/1, and leave its slot empty\? y\/n$/m)
  terminal.press('n')
  await terminal.untilShown(/^d drain, /m)
  terminal.press('d', 'y')
  await terminal.untilShown(/^> web\/1 +held +- /m)
  await terminal.untilShown(/^web\/1 is out of service; 'balancer restart web\/1' brings it back$/m)
  await terminal.untilShown(/1 of 2 workers are ready\. web\/1 was taken out/)
  terminal.press('r', 'y')
  await terminal.untilShown(/^web\/1 was restarted$/m)
  await terminal.untilShown(/web\/1 +ready/)
  terminal.press('+', 'y')
  await terminal.untilShown(/web\/2 +ready/)
  assert.is((await balancer.status()).pools[0]?.desired, 3)
  terminal.press('/')
  terminal.type('web/2')
  await terminal.untilShown(/^filter: web\/2_/m)
  terminal.press('Enter')
  await until(() => terminal.lines.filter((line) => /^[> ] web/.test(line)).length === 1)
  terminal.press('Escape', '?')
  await terminal.untilShown(/^Any key goes back\.$/m)
  terminal.press('x', 's')
  await terminal.untilShown(/vREQ\/S/)
  terminal.press('Tab')
  await terminal.untilShown(/^v ROUTE .* WAIT .*\n> \(everything else\) +web +[\d.]+ /m)
  terminal.press('t')
  await terminal.untilShown(/^v WORKER/m)
})

test('another size, at once', async () => {
  terminal.resize(120, 12)
  await terminal.untilShown(/CONNS/)
  assert.is(terminal.lines.length, 12)
  assert.match(terminal.lines[11] as string, /^d drain, /)
  terminal.resize(30, 12)
  await terminal.untilShown(/This terminal is too small/)
  terminal.resize(80, 24)
  await terminal.untilShown(/^[> ] web\/0 /m)
})

test('quit, interrupt and signals leave the terminal as it was', async () => {
  terminal.press('q')
  await terminal.untilEnded(0)
  await terminal.run(balancer, 'top')
  await terminal.untilShown(/Healthy/)
  terminal.press('C-c')
  await terminal.untilEnded(0)
  const pid = await terminal.run(balancer, 'top')
  await terminal.untilShown(/Healthy/)
  process.kill(pid, 'SIGTERM')
  await terminal.untilEnded(143)
})

test('NO_COLOR, and ASCII where the locale has no UTF-8', async () => {
  await terminal.run(balancer, 'top', 'NO_COLOR=1 LANG=C')
  await terminal.untilShown(/REQ\/S/)
  await terminal.untilShown(/LOOP/)
  assert.not.ok(terminal.colouredText.includes('\x1b['), terminal.colouredText)
  assert.not.match(terminal.text, /[▁-█]/)
  terminal.press('q')
  await terminal.untilEnded(0)
})

test('without a terminal there is an error that names the other command', async () => {
  const { code, err } = await runCommand(balancer, ['top'])
  assert.is(code, 2)
  assert.match(err, /'balancer top' needs a terminal.*'balancer status --watch'.*\(ERR_NO_TERMINAL\)/s)
  const usage = await runCommand(balancer, ['top', '--delay', '0'])
  assert.equal([usage.code, /Expected seconds from 0\.2/.test(usage.err)], [2, true])
})

test('a primary that is killed: the screen says so, and stays until the user quits', async () => {
  await terminal.run(balancer, 'top --delay 0.2')
  await terminal.untilShown(/Healthy/)
  process.kill(balancer.pid, 'SIGKILL')
  await terminal.untilShown(/^NO ANSWER for .*, and these values are old: No balancer answers/m)
  assert.match(terminal.text, /^[> ] web\/0 /m)
  terminal.press('q')
  await terminal.untilEnded(0)
})

test.run()
