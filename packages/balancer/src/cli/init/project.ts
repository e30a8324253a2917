// What `balancer init` knows of an app: its entry, its packages, and what of them matters to several workers.

import { existsSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import type { PackageFile } from '../../config/project/package-file.ts'
import { Sources } from '../../config/project/sources.ts'
import type { Entry } from './entry.ts'

/** Packages that are named when they are found. */
const NOTED = [
  'express',
  'fastify',
  'koa',
  'next',
  '@nestjs/core',
  'express-session',
  '@fastify/session',
  'socket.io',
  '@socket.io/cluster-adapter',
  '@socket.io/redis-adapter',
  'ws',
] as const
export type NotedPackage = (typeof NOTED)[number]

/** Session stores that all workers share already. */
const SHARED_STORES = [
  'connect-redis',
  'connect-mongo',
  'connect-pg-simple',
  'express-mysql-session',
  'connect-session-sequelize',
  'connect-dynamodb',
  'connect-memcached',
  'session-file-store',
  '@quixo3/prisma-session-store',
  'connect-typeorm',
]

const OWN_STORES = /\b(expressSessions|fastifySessions)\b/
const TYPESCRIPT = /\.[cm]?ts$/
/** Of a socket.io server: `new Server(server, { path: '/live' })`. */
const SOCKET_PATH = /\bnew\s+\w*(?:Server|IO)\w*\s*\((?:[^()]|\([^()]*\)){0,300}?\bpath\s*:\s*["'](\/[\w./-]+)["']/
const SESSION_NAME = /\bsession\s*\(\s*\{(?:[^{}]|\{[^{}]*\}){0,500}?\bname\s*:\s*["']([\w.-]+)["']/
const FASTIFY_COOKIE = /\bcookieName\s*:\s*["']([\w.-]+)["']/
const HEALTH_PATH = /["'](\/(?:healthz?|livez|readyz|_health|ping))["']/
const USES_CLUSTER = /\bcluster\s*\.\s*(?:fork|isPrimary|setupPrimary)\b/

export interface Project {
  readonly folder: string
  readonly entry: Entry
  /** The packages of the app that matter here. */
  readonly found: ReadonlySet<NotedPackage>
  /** A package of the app that keeps sessions where all workers see them, or 'switchyard'. */
  readonly sharedStore: string | undefined
  /** The cookie that names a session. */
  readonly sessionCookie: string
  readonly socketPath: string
  readonly hasStickyIds: boolean
  readonly healthPath: string | undefined
  readonly trustsProxies: boolean
  readonly usesCluster: boolean
  readonly hasTsx: boolean
  /** The entry is TypeScript. */
  readonly runsTypescript: boolean
  /** The app's files are ES modules. */
  readonly isModule: boolean
  readonly configName: string
}

/** Reads the files of the app. */
export function readProject(folder: string, entry: Entry, packageFile: PackageFile): Project {
  const { dependencies, devDependencies } = packageFile
  const sources = new Sources(resolve(folder, entry.app))
  const isKnown = (name: string): boolean => sources.imports(name) || dependencies.has(name)
  const found = new Set(NOTED.filter(isKnown))
  // socket.io brings its own websockets; of others only the code tells.
  if (found.has('socket.io') && !sources.imports('ws')) found.delete('ws')
  const fastifySession = found.has('@fastify/session') && !found.has('express-session')
  const ending = extname(entry.app)
  const runsTypescript = TYPESCRIPT.test(entry.app)
  const hasTypescript =
    runsTypescript || existsSync(join(folder, 'tsconfig.json')) || devDependencies.has('typescript') || dependencies.has('typescript')
  return {
    folder,
    entry,
    found,
    sharedStore: sources.has(OWN_STORES) ? 'switchyard' : SHARED_STORES.find(isKnown),
    sessionCookie: fastifySession ? (sources.find(FASTIFY_COOKIE) ?? 'sessionId') : (sources.find(SESSION_NAME) ?? 'connect.sid'),
    socketPath: (sources.find(SOCKET_PATH) ?? '/socket.io').replace(/\/+$/, ''),
    hasStickyIds: sources.has(/\bstickyIds\s*\(/),
    healthPath: sources.find(HEALTH_PATH),
    trustsProxies: sources.has(/["']trust proxy["']|\btrustProxy\b/),
    usesCluster: sources.has(USES_CLUSTER),
    hasTsx: dependencies.has('tsx') || devDependencies.has('tsx'),
    runsTypescript,
    isModule: ending.startsWith('.m') || runsTypescript || (packageFile.isModule && !ending.startsWith('.c')),
    configName: configName(hasTypescript, packageFile.isModule),
  }
}

/** The config imports an ES module, so it must be one itself for the compiler and for editors. */
function configName(hasTypescript: boolean, isModule: boolean): string {
  return `balancer.config.${isModule ? '' : 'm'}${hasTypescript ? 'ts' : 'js'}`
}
