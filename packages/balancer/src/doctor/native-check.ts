// Checks the native module: does it load, and if not, why and how to get it.

import { NativeMissing, nativeFault, platformPackage } from '@switchyard/handoff'
import { type Check, sentence } from './check.ts'

export interface NativeSource {
  /** Why the module can't be used. May throw what `nativeFault` throws. */
  readonly faultOf: () => Error | undefined
  /** Why it can't be compiled here. */
  readonly reasonAgainst: () => string | undefined
  readonly platform: string
  readonly arch: string
  /** The C library is glibc. */
  readonly isGlibc: boolean
}

const NAME = 'native module'
const VARIABLE = 'SWITCHYARD_CHANNEL'
const LOSS = 'connections go over the portable channel, which costs more CPU and moves no idle connections'

/** Systems for which the module comes as a package. */
const PREBUILT = ['linux x64', 'linux arm64']

export async function thisSystem(): Promise<NativeSource> {
  const { reasonAgainst } = await import('@switchyard/handoff/build')
  const header = (process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined)?.header
  const { platform, arch } = process
  return { faultOf: nativeFault, reasonAgainst: () => reasonAgainst(), platform, arch, isGlibc: header?.glibcVersionRuntime !== undefined }
}

export function checkNative(env: NodeJS.ProcessEnv, source: NativeSource): Check {
  const fault = faultOf(source)
  if (fault === undefined) {
    const isUnused = env[VARIABLE] === 'portable'
    return { name: NAME, state: 'ok', found: isUnused ? `it loads, but ${VARIABLE} asks for the portable channel` : 'it loads' }
  }
  const isNeeded = env[VARIABLE] === 'native'
  const isMissing = fault instanceof NativeMissing && fault.file === undefined
  const effect = isNeeded ? `${VARIABLE}=native demands it, so the balancer does not start` : LOSS
  return {
    name: NAME,
    state: isMissing && !isNeeded ? 'warning' : 'fault',
    found: `${fault.message}; ${effect}`,
    advice: [...reinstalling(fault, source), compiling(source.reasonAgainst())].join(' '),
  }
}

function faultOf({ faultOf }: NativeSource): Error | undefined {
  try {
    return faultOf()
  } catch (error) {
    // It was built from the sources of another version.
    return error as Error
  }
}

function reinstalling(fault: Error, { platform, arch, isGlibc }: NativeSource): string[] {
  if (fault instanceof NativeMissing && fault.file !== undefined)
    return [`Remove ${fault.file} and install again, if the file is damaged or from another system.`]
  if (!(fault instanceof NativeMissing)) return ['Install all packages of Switchyard in the same version.']
  if (!PREBUILT.includes(`${platform} ${arch}`)) return ['No package has it for this system.']
  if (!isGlibc) return ['No package has it for systems without glibc, such as Alpine.']
  return [`The package ${platformPackage()} has it: install again without --omit=optional, on this kind of system.`]
}

function compiling(reason: string | undefined): string {
  if (reason === undefined) return "'balancer doctor --build' compiles it with the compiler of this machine."
  return reason.startsWith('it is for Linux')
    ? 'It is for Linux only, and nothing is wrong here.'
    : `To compile it, make this possible first: ${sentence(reason)} Then run 'balancer doctor --build'.`
}
