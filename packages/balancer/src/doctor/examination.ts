// All checks of `balancer doctor`, in the order in which they are printed.

import { dirname } from 'node:path'
import { cpuSourceOf } from '../config/pool/cpus.ts'
import { controlPathsOf, defaultControlPath, type Place } from '../control/control-path.ts'
import { nameOfPrimary, primaryOn, type RunningPrimary } from '../control/running-primary.ts'
import type { Settings } from '../settings.ts'
import { socketBases } from '../supervisor/private-sockets/socket-bases.ts'
import { checkAddresses } from './address-check.ts'
import { checkBacklog } from './backlog-check.ts'
import type { Check } from './check.ts'
import { type ConfigSource, checkConfig } from './config-check.ts'
import { checkControl } from './control-check.ts'
import { checkCores } from './core-check.ts'
import { checkDescriptors, readLimits } from './descriptor-check.ts'
import { checkMemory } from './memory-check.ts'
import { checkNative, thisSystem } from './native-check.ts'
import { checkNode } from './node-check.ts'
import { checkRedis } from './redis-check.ts'
import { checkTemporary } from './temporary-check.ts'

export interface ExaminationOptions {
  readonly config: ConfigSource
  /** The folder of the command. */
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
}

/** The admin page of a config that does not name one. */
const DEFAULT_ADMIN = { host: '127.0.0.1', port: 9400, explicit: false, names: [] }

/** Runs every check. Never rejects for what it finds. Takes seconds at most, plus the time to read the config. */
export async function examine({ config, folder, env }: ExaminationOptions): Promise<Check[]> {
  const { check: configCheck, settings } = await checkConfig(config)
  const place: Place = { file: config.file, folder: config.file === undefined ? folder : dirname(config.file) }
  const control = settings?.control
  const running = await findRunning(typeof control === 'string' ? [control] : controlPathsOf(place, env))
  const isFaulty = configCheck.state === 'fault'
  const path = control === false ? undefined : (control ?? defaultControlPath(place, env))
  return [
    checkNode(),
    checkNative(env, await thisSystem()),
    checkCores(settings?.pools, running && cpuSourceOf(running.status.pid)),
    checkMemory(settings?.pools),
    descriptorsOf(settings, running),
    checkTemporary({ bases: socketBases(env), isShared: hasOtherUsers(settings) }),
    configCheck,
    isFaulty ? unchecked('addresses') : await addressesOf(settings, running),
    checkBacklog(settings?.listen),
    await checkControl({ path, isNamed: control !== undefined, running }),
    ...(settings === undefined ? (isFaulty ? [unchecked('redis')] : []) : [await checkRedis(settings.sessions)]),
  ]
}

function descriptorsOf(settings: Settings | undefined, running: RunningPrimary | undefined): Check {
  const limits = running && readLimits(running.status.pid)
  return running === undefined || limits === undefined
    ? checkDescriptors(settings)
    : checkDescriptors(settings, limits, nameOfPrimary(running))
}

function addressesOf(settings: Settings | undefined, running: RunningPrimary | undefined): Promise<Check> {
  return checkAddresses({ listen: settings?.listen, admin: settings === undefined ? DEFAULT_ADMIN : settings.admin, running })
}

/** What a check needs is in a config that has faults. */
function unchecked(name: string): Check {
  return {
    name,
    state: 'warning',
    found: 'not checked, because the config has faults',
    advice: "Correct the config, and run 'balancer doctor' again.",
  }
}

async function findRunning(paths: readonly string[]): Promise<RunningPrimary | undefined> {
  return (await Promise.all(paths.map(primaryOn))).find((found) => found !== undefined)
}

function hasOtherUsers(settings: Settings | undefined): boolean {
  return settings?.pools.some(({ uid, gid }) => uid !== undefined || gid !== undefined) ?? false
}
