// What the service commands use of the machine: other commands, folders and the user. Tests pass their own.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { hasNative } from '@switchyard/handoff'
import { throughFolder } from '../../system/written-path.ts'
import type { CliIo } from '../io.ts'

export interface CommandResult {
  /** 127: there is no such command. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ServiceHost {
  /** The user that runs this command. */
  readonly uid: number
  /** The user that called sudo. */
  readonly sudoUser: string | undefined
  /** Node as it runs now. */
  readonly node: string
  /** The file `bin/balancer.js` as it runs now. */
  readonly entry: string
  readonly hasNative: boolean
  /** Has systemd booted this machine? */
  hasSystemd(): boolean
  /** Where units are installed. */
  unitFolder(isUser: boolean): string
  /** Runs a command; ends it after `timeoutMs`. Never rejects. */
  run(command: string, args: readonly string[], timeoutMs: number): Promise<CommandResult>
}

const NO_COMMAND = 127
const MAX_OUTPUT_BYTES = 1024 * 1024

export function systemHost({ env, cwd }: Pick<CliIo, 'env' | 'cwd'>): ServiceHost {
  const { XDG_CONFIG_HOME: config, SUDO_USER: sudoUser } = env
  const userConfig = config !== undefined && isAbsolute(config) ? config : join(env.HOME || homedir(), '.config')
  return {
    uid: process.getuid?.() ?? -1,
    sudoUser: sudoUser === 'root' ? undefined : sudoUser,
    node: process.execPath,
    entry: throughFolder(process.argv[1] ?? '', cwd, process.cwd()),
    hasNative: hasNative(),
    // As sd_booted(3) does.
    hasSystemd: () => existsSync('/run/systemd/system'),
    unitFolder: (isUser) => (isUser ? join(userConfig, 'systemd', 'user') : '/etc/systemd/system'),
    run: (command, args, timeoutMs) =>
      new Promise((resolve) => {
        const options = {
          timeout: timeoutMs,
          killSignal: 'SIGKILL',
          maxBuffer: MAX_OUTPUT_BYTES,
          cwd: '/',
          env: { ...env, LC_ALL: 'C' },
        } as const
        execFile(command, [...args], options, (error, stdout, stderr) => {
          if (error === null) return resolve({ code: 0, stdout, stderr })
          if ((error.code as unknown) === 'ENOENT') return resolve({ code: NO_COMMAND, stdout, stderr: `there is no command ${command}` })
          const late = error.killed === true ? `${command} was ended after ${timeoutMs / 1000} s` : ''
          resolve({ code: typeof error.code === 'number' ? error.code : 1, stdout, stderr: stderr || late || error.message })
        })
      }),
  }
}
