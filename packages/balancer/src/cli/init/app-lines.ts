// The lines that an app needs for several workers, and what else its user should know. Nothing here changes the app.

import { keepsSessions } from './config-text.ts'
import type { Project } from './project.ts'

export interface Advice {
  readonly why: string
  /** To add to the app. */
  readonly lines: readonly string[]
}

/** In the order of importance. */
export function adviceFor(project: Project): Advice[] {
  const { found, entry, sharedStore, isModule } = project
  const advice: Advice[] = []
  const imported = (names: string, from: string): string =>
    isModule ? `import { ${names} } from '${from}'` : `const { ${names} } = require('${from}')`
  if (!entry.exists) {
    const build = entry.app.startsWith('./node_modules') ? 'npm install' : 'npm run build'
    advice.push({ why: `${entry.app} is not there yet. Run '${build}' first.`, lines: [] })
  }
  if (found.has('socket.io') && !project.hasStickyIds)
    advice.push({
      why: 'Put the ticket of the worker into each session id of socket.io, after the server is created:',
      lines: [imported('stickyIds', '@switchyard/worker-runtime'), 'stickyIds(io.engine)'],
    })
  if (found.has('socket.io') && !found.has('@socket.io/cluster-adapter') && !found.has('@socket.io/redis-adapter'))
    advice.push({
      why: "A message to all sockets reaches those of one worker only. Install an adapter ('npm install @socket.io/cluster-adapter'), run 'balancer init --force' again, and use it:",
      lines: [imported('createAdapter', '@socket.io/cluster-adapter'), 'io.adapter(createAdapter())'],
    })
  if (keepsSessions(found) && sharedStore === undefined) advice.push(storeAdvice(project, imported))
  if (project.usesCluster)
    advice.push({
      why: 'The app uses node:cluster itself. The balancer starts the workers, so leave out the part that forks and run the part that listens.',
      lines: [],
    })
  if (project.runsTypescript && !project.hasTsx)
    advice.push({
      why: 'Node 22.18 and newer run TypeScript that only needs its types removed. For an older Node, or for enums and the like: npm install tsx',
      lines: [],
    })
  return advice
}

function storeAdvice({ found }: Project, imported: (names: string, from: string) => string): Advice {
  const isExpress = found.has('express-session')
  return {
    why: 'Share the sessions between the workers; then the route for them can go:',
    lines: isExpress
      ? [
          imported('expressSessions', '@switchyard/worker-runtime/express-session'),
          'const store = expressSessions(session)',
          'app.use(session({ store, genid: store.newId, … }))',
        ]
      : [
          imported('fastifySessions', '@switchyard/worker-runtime/fastify-session'),
          'const store = fastifySessions()',
          'app.register(fastifySession, { store, idGenerator: store.newId, … })',
        ],
  }
}
