// Whether an app opens a server, as far as its own files tell. They are read, not run.

import { sep } from 'node:path'
import { Sources } from '../project/sources.ts'

const LISTENS = /\.\s*listen\s*\(|\bcreate(?:Secure)?Server\s*\(|\bstartStandaloneServer\s*\(|\bserve\s*\(/
/** Packages that listen by themselves, or whose apps listen in files that are not imported by relative paths. */
const SERVERS = [
  'express',
  'fastify',
  'koa',
  'next',
  'nuxt',
  '@nestjs/core',
  '@hapi/hapi',
  'restify',
  'polka',
  'hono',
  '@hono/node-server',
  '@adonisjs/core',
  '@feathersjs/express',
  '@feathersjs/koa',
  '@remix-run/serve',
  '@sveltejs/kit',
  'meteor',
  'sails',
  '@strapi/strapi',
  'json-server',
  'parse-server',
  'apollo-server',
  '@apollo/server',
  'ws',
  'socket.io',
  'micro',
  'loopback',
  '@loopback/rest',
  '@moleculer/web',
  'moleculer-web',
]

/** false: none of its files listens or uses a web framework. A package's own program, and a file that can't be read, count as servers. */
export function opensServer(file: string): boolean {
  if (file.includes(`${sep}node_modules${sep}`)) return true
  const sources = new Sources(file)
  return sources.texts.length === 0 || sources.has(LISTENS) || SERVERS.some((name) => sources.imports(name))
}
