// Writes the config of an app: what it needs as code, what it may want as comments.

import type { Project } from './project.ts'

interface Route {
  readonly why: readonly string[]
  readonly text: string
}

/** The whole file, in TypeScript and JavaScript alike. */
export function configText(project: Project): string {
  const { entry, found } = project
  const routes = routesOf(project)
  const body = routes.map(({ text }) => text).join('\n')
  const used = ['defineConfig', 'learn', 'leastInFlight', 'sticky', 'ticket'].filter(
    (name) => name === 'defineConfig' || body.includes(`${name}(`),
  )
  const hasAdapter = found.has('@socket.io/cluster-adapter')
  const lines = [
    '// How the balancer runs this app. `balancer check` prints what it means, and all of its faults.',
    '',
    ...(hasAdapter ? ["import { setupPrimary } from '@socket.io/cluster-adapter'"] : []),
    `import { ${used.join(', ')} } from '@switchyard/balancer'`,
    '',
    ...(hasAdapter ? ["// socket.io's adapter: carries messages to the sockets of the other workers.", 'setupPrimary()', ''] : []),
    'export default defineConfig({',
    `  app: ${quote(entry.app)},`,
    '  // Where clients connect. Left out: where the app listens.',
    '  // listen: 3000,',
    ...indent(poolLines(project)),
    ...(routes.length === 0 ? [] : ['  // The first match wins. Other requests go to a worker whose event loop is idle.', '  routes: [']),
    ...routes.flatMap(({ why, text }) => [...why.map((line) => `    // ${line}`), `    ${text},`]),
    ...(routes.length === 0 ? [] : ['  ],']),
    ...(project.trustsProxies
      ? ['  // Proxies in front whose X-Forwarded-For is trusted, for routes by client address.', "  // trustedProxies: ['10.0.0.0/8'],"]
      : []),
    ...(needsSecret(project)
      ? [
          '  // Signs tickets. Set SWITCHYARD_SECRET, so that they stay valid after a restart.',
          '  // secret: process.env.SWITCHYARD_SECRET,',
        ]
      : []),
    '  // Metrics, health and status, on this machine only.',
    "  admin: '127.0.0.1:9400',",
    '})',
  ]
  return `${lines.join('\n')}\n`
}

function poolLines({ entry, healthPath, runsTypescript, hasTsx }: Project): string[] {
  const options = [
    "// 'max': one for each core that this process may use.",
    "workers: 'max',",
    ...(entry.args.length > 0 ? [`args: [${entry.args.map(quote).join(', ')}],`] : []),
    ...(runsTypescript && hasTsx ? ['// Node strips types only; tsx compiles all of TypeScript.', "execArgv: ['--import', 'tsx'],"] : []),
    ...(healthPath === undefined
      ? ['// A worker is ready when this path answers. Left out: when the app listens.', "// readyWhen: '/healthz',"]
      : [
          '// A worker is ready when this path answers, and is replaced when it no longer does.',
          `// readyWhen: ${quote(healthPath)},`,
          `// healthWhen: ${quote(healthPath)},`,
        ]),
    "// maxMemory: { soft: '512 MB' },",
  ]
  return ['pools: {', '  web: {', ...indent(indent(options)), '  },', '},']
}

function routesOf({ found, socketPath, sharedStore, sessionCookie }: Project): Route[] {
  const routes: Route[] = []
  if (found.has('socket.io')) {
    const why = ['socket.io: each client returns to the worker that has its session.']
    routes.push({ why, text: `{ path: ${quote(`${socketPath}/*`)}, policy: sticky({ by: ticket(), otherwise: leastInFlight() }) }` })
  }
  if (found.has('ws')) {
    const why = ['Websockets stay open for long, so they are spread by counting them.']
    routes.push({ why, text: "{ header: { upgrade: 'websocket' }, policy: leastInFlight() }" })
  }
  if (keepsSessions(found) && sharedStore === undefined) {
    const why = [
      'The sessions of this app are in the memory of one worker, so each visitor returns to it.',
      'With the session store of Switchyard all workers share them, and this route can go.',
    ]
    routes.push({ why, text: `{ path: '/*', policy: sticky({ by: learn(${quote(sessionCookie)}) }) }` })
  }
  return routes
}

/** Does the app use the sessions of a framework? */
export function keepsSessions(found: Project['found']): boolean {
  return found.has('express-session') || found.has('@fastify/session')
}

function needsSecret({ found }: Project): boolean {
  return found.has('socket.io')
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
