// Stack traces of a compiled app name the lines of its sources, also that of a worker that hangs.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import { assert, suite } from '../../../../test/suite.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('source maps', { timeoutMs: 40_000 })

/** Types fill lines that the compiled file does not have. */
const SOURCE = `
interface Wish {
  readonly path: string
}

import { createServer } from 'node:http'

function stack(wish: Wish): string {
  return String(new Error(wish.path).stack)
}

function hang(): void {
  console.log('it hangs')
  for (;;) {}
}

createServer((request, response) => {
  if (request.url === '/hang') hang()
  response.end(stack({ path: '/' }))
}).listen(3000)
`
const STACK_LINE = 9
const HANG_LINES = '1[234]'

interface Compiled {
  readonly source: string
  readonly app: string
}

/** Compiles the app as a build would: sources and output in folders of their own. */
function compile(): Compiled {
  const folder = temporaryFolder()
  for (const name of ['src', 'dist']) mkdirSync(join(folder, name))
  const [source, app] = [join(folder, 'src/server.ts'), join(folder, 'dist/server.mjs')]
  writeFileSync(source, SOURCE)
  const { code, map } = transformSync(SOURCE, { loader: 'ts', format: 'esm', sourcemap: 'external', sourcefile: '../src/server.ts' })
  writeFileSync(app, `${code}//# sourceMappingURL=server.mjs.map\n`)
  writeFileSync(`${app}.map`, map)
  return { source, app }
}

const start = (app: string, pool: object = {}, config: object = {}): Promise<RunningBalancer> =>
  startBalancer({ config: { app, pools: { web: { workers: 1, ...pool } }, ...config } })

async function stackOf(balancer: RunningBalancer): Promise<string> {
  return (await exchange(balancer.port, get('/'))).body.toString()
}

test('an error names the line of the source, and the log the line at which a worker hangs', async () => {
  const { source, app } = compile()
  const balancer = await start(app, {}, { hangTimeoutMs: 500 })
  assert.match(await stackOf(balancer), `at stack (${source}:${STACK_LINE}:`)
  const client = new RawClient(balancer.port)
  client.write(get('/hang'))
  const { msg } = await balancer.untilLine(({ msg }) => msg.includes('at hang ('), 'the stack', 20_000)
  assert.match(msg, new RegExp(`at hang \\(${source}:${HANG_LINES}:`))
  client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('sourceMaps: false, or an option of Node, leaves them off', async () => {
  const { app } = compile()
  for (const pool of [{ sourceMaps: false }, { execArgv: ['--no-enable-source-maps'] }]) {
    const balancer = await start(app, pool)
    assert.match(await stackOf(balancer), `at stack (file://${app}:`)
    assert.is(await balancer.stop(), 0)
  }
})

test.run()
